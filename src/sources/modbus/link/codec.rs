//! Requests and answers in the terms of the Modbus crate, and what its errors mean.
//!
//! In: a [`Request`], which can't say a write. Out: the crate's own types, and the words or bits that came back.

use std::io::ErrorKind;

use tokio_modbus::{Error, ProtocolError, Response};

use super::owed::Shape;
use crate::profile::register::Table;
use crate::sources::modbus::plan::{Answer, Request};

/// Bytes that every answer to a read has on a line beside its data: unit, function, count and check.
const FRAME_LEN: usize = 5;

/// Says whether the answer has the length and kind that were asked for.
pub(super) fn fits(response: &Response, shape: Shape) -> bool {
    match response {
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => shape.has_bytes(bits.len() / 8),
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => shape.has_bytes(words.len() * 2),
        Response::ReadDeviceIdentification(_) => shape == Shape::of_identification(),
        _ => false,
    }
}

/// Returns the bytes that the answer took on a line.
pub(super) fn frame_len(response: &Response) -> usize {
    match response {
        Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => FRAME_LEN + bits.len() / 8,
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) => FRAME_LEN + words.len() * 2,
        // Its head has five bytes more, and each object two.
        Response::ReadDeviceIdentification(part) => {
            FRAME_LEN + 5 + part.device_id_objects.iter().map(|object| object.value.len() + 2).sum::<usize>()
        }
        _ => 0,
    }
}

/// Writes a request in the crate's terms: the four reading function codes are all there is.
pub(super) const fn encode(request: Request) -> tokio_modbus::Request<'static> {
    let (address, count) = (request.address(), request.count());
    match request.table() {
        Table::Coil => tokio_modbus::Request::ReadCoils(address, count),
        Table::Discrete => tokio_modbus::Request::ReadDiscreteInputs(address, count),
        Table::Holding => tokio_modbus::Request::ReadHoldingRegisters(address, count),
        Table::Input => tokio_modbus::Request::ReadInputRegisters(address, count),
    }
}

/// Returns the words or bits, as many as were asked for.
pub(super) fn answer(response: Response, request: Request) -> Option<Answer> {
    let count = usize::from(request.count());
    match response {
        Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words) if words.len() == count => {
            Some(Answer::Words(words))
        }
        // Bits arrive in whole bytes.
        Response::ReadCoils(mut bits) | Response::ReadDiscreteInputs(mut bits) if bits.len() >= count => {
            bits.truncate(count);
            Some(Answer::Bits(bits))
        }
        _ => None,
    }
}

/// Says whether bytes came that are no answer to the question; else the connection itself is gone.
pub(super) fn is_mistaken(error: &Error) -> bool {
    match error {
        Error::Protocol(_) => true,
        Error::Transport(error) => {
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof)
        }
    }
}

pub(super) fn describe(error: Error) -> String {
    match error {
        Error::Protocol(ProtocolError::HeaderMismatch { message, .. }) => {
            format!("the answer belongs to another request ({})", message.trim())
        }
        Error::Protocol(ProtocolError::FunctionCodeMismatch { request, .. }) => {
            format!("the answer to {request} carries another function code")
        }
        // The crate reports an orderly close as whatever the system's last error happened to be.
        Error::Transport(error)
            if error.raw_os_error() == Some(0)
                || matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::BrokenPipe) =>
        {
            "closed by the device".to_owned()
        }
        Error::Transport(error) => error.to_string(),
    }
}
