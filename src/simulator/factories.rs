//! The three factories of the demo: which models run there, and what their devices say over Modbus and MQTT.
//!
//! The registers and topics here are the other end of the files in `config/demo/`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::modbus::{Devices, Registers};
use super::mqtt::{Device, Message};
use super::plant::{Line, Machine, MachineModel};
use super::steel::{SteelDataError, SteelWorks};
use crate::model::state::MachineState;
use crate::model::time::Timestamp;
use crate::runtime::clock::Clock;

/// Measured energy of a real steel works; its licence and origin stand beside it.
const STEEL_DATA: &str = include_str!("../../config/demo/data/steel_2018_01.csv");
/// Civil time of Viet Nam, which has no daylight saving time. **Unit**: ms.
const VIET_NAM_MS: i64 = 7 * 3_600_000;
/// Primary amperes for one secondary ampere of the steel works' meter.
const STEEL_CT_RATIO: f64 = 40.0;
/// What a meter had counted before, secondary. **Unit**: kWh. Small enough for a float32 to show single watt-hours.
const METER_START_KWH: f64 = 1_843.2;
/// Reactive for active energy of lines without measured data: power factor 0.9.
const REACTIVE_SHARE: f64 = 0.484;
/// Liquefied gas that the garment line's boiler takes for one finished piece, and had taken before. **Unit**: g.
const LPG_GRAMS_PER_PIECE: u64 = 45;
const BOILER_START_GRAMS: u64 = 2_650_000;
/// Phase voltage and frequency of the grid.
const PHASE_VOLTS: f64 = 230.0;
const GRID_HERTZ: f64 = 50.0;

/// Seeds of the histories; any other would do.
const GARMENT_SEED: u64 = 4_201;
const ELECTRONICS_SEED: u64 = 7_301;

/// How machines of a line stop, with weights and mean minutes.
const STOPS: [(MachineState, f64, f64); 4] = [
    (MachineState::Stopped, 4.0, 2.0),
    (MachineState::Setup, 2.0, 6.0),
    (MachineState::Fault, 2.0, 5.0),
    (MachineState::Idle, 1.0, 4.0),
];

const CUTTING: MachineModel = MachineModel {
    cycle_ms: 15_000.0,
    slowdown_max: 0.10,
    scrap_share: 0.010,
    run_minutes: 40.0,
    stops: STOPS,
    power_kw: (5.5, 0.6),
};
const SEWING: MachineModel = MachineModel {
    cycle_ms: 18_000.0,
    slowdown_max: 0.30,
    scrap_share: 0.025,
    run_minutes: 25.0,
    stops: STOPS,
    power_kw: (8.0, 1.1),
};
const FINISHING: MachineModel = MachineModel {
    cycle_ms: 18_000.0,
    slowdown_max: 0.15,
    scrap_share: 0.015,
    run_minutes: 35.0,
    stops: STOPS,
    power_kw: (12.0, 3.0),
};
const PLACER: MachineModel = MachineModel {
    cycle_ms: 11_000.0,
    slowdown_max: 0.12,
    scrap_share: 0.004,
    run_minutes: 30.0,
    stops: STOPS,
    power_kw: (6.5, 1.8),
};
const OVEN: MachineModel = MachineModel {
    cycle_ms: 11_500.0,
    slowdown_max: 0.05,
    scrap_share: 0.003,
    run_minutes: 60.0,
    stops: STOPS,
    power_kw: (24.0, 14.0),
};
const INSPECTION: MachineModel = MachineModel {
    cycle_ms: 12_000.0,
    slowdown_max: 0.10,
    scrap_share: 0.018,
    run_minutes: 45.0,
    stops: STOPS,
    power_kw: (1.2, 0.4),
};

/// A line that several devices look at.
type Shared = Arc<Mutex<Line>>;

fn at(line: &Shared, now: Timestamp) -> MutexGuard<'_, Line> {
    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
    line.advance(now);
    line
}

/// Steel works whose registers began to count at `began`: unit 1 is the main meter, unit 2 the rolling mill's controller.
///
/// # Errors
/// The embedded data are damaged.
pub fn steel(clock: &Clock, began: Timestamp) -> Result<Devices, SteelDataError> {
    let works = Arc::new(SteelWorks::new(STEEL_DATA, VIET_NAM_MS, began)?);
    let (meter, mill) = (Arc::clone(&works), works);
    Ok(Devices::new(
        clock.clone(),
        vec![
            (
                1,
                Box::new(move |now| {
                    let reading = meter.read(now);
                    meter_registers(
                        STEEL_CT_RATIO,
                        Power {
                            kwh: reading.energy_kwh,
                            kvarh: reading.reactive_kvarh,
                            kw: reading.power_kw,
                            kvar: reading.reactive_kvar,
                        },
                    )
                }),
            ),
            (
                2,
                Box::new(move |now| {
                    let reading = mill.read(now);
                    controller_registers(reading.state, reading.total_kg, reading.scrap_kg)
                }),
            ),
        ],
    ))
}

/// Garment line that began at `began`, all over MQTT: three stations and a meter. Returns the publishers with their client ids.
pub fn garment(began: Timestamp) -> Vec<(&'static str, Device)> {
    let line: Shared = Arc::new(Mutex::new(Line::new(&[CUTTING, SEWING, FINISHING], 6.0, GARMENT_SEED, began)));
    let meter = Arc::clone(&line);
    let stations = ["cutting-1", "sewing-1", "finishing-1"].into_iter().enumerate().map(|(position, name)| {
        let line = Arc::clone(&line);
        let device: Device = Arc::new(Mutex::new(move |now: Timestamp| {
            at(&line, now).machine(position).map_or_else(Vec::new, |machine| garment_messages(name, machine, now))
        }));
        (name, device)
    });
    let mut devices: Vec<(&'static str, Device)> = stations.collect();
    devices.push((
        "meter-line",
        Arc::new(Mutex::new(move |now: Timestamp| {
            let (kwh, finished) = {
                let line = at(&meter, now);
                (METER_START_KWH + line.energy_kwh(), line.machine(2).map_or(0, Machine::total))
            };
            // Finishing irons with the steam of a boiler; its gas is weighed.
            let lpg_grams = BOILER_START_GRAMS + finished * LPG_GRAMS_PER_PIECE;
            [
                ("meter-line", "energy", kwh),
                ("meter-line", "reactive", kwh * REACTIVE_SHARE),
                ("boiler", "lpg", f64_of(lpg_grams) / 1_000.0),
            ]
            .map(|(device, point, value)| garment_message(device, point, &format!("{value:.3}"), now))
            .into()
        })),
    ));
    devices
}

#[expect(clippy::cast_precision_loss, reason = "grams of a demo, far below 2^53")]
const fn f64_of(grams: u64) -> f64 {
    grams as f64
}

fn garment_messages(name: &str, machine: &Machine, now: Timestamp) -> Vec<Message> {
    let state = match machine.state() {
        MachineState::Producing => "\"RUN\"",
        MachineState::Setup => "\"CHANGEOVER\"",
        MachineState::Fault | MachineState::CorrectiveMaintenance => "\"ALARM\"",
        MachineState::Stopped => "\"STOP\"",
        MachineState::Idle | MachineState::Down | MachineState::PlannedDown | MachineState::PreventiveMaintenance => {
            "\"WAIT\""
        }
    };
    vec![
        garment_message(name, "state", state, now),
        garment_message(name, "total", &machine.total().to_string(), now),
        garment_message(name, "scrap", &machine.scrap().to_string(), now),
    ]
}

fn garment_message(device: &str, point: &str, value: &str, now: Timestamp) -> Message {
    Message { topic: format!("floor/{device}/{point}"), payload: format!(r#"{{"v":{value},"ts":"{now}"}}"#) }
}

/// Electronics line that began at `began`: unit 1 is the meter, units 11 and 12 are the controllers of placer and oven; the optical
/// inspection publishes over MQTT.
pub fn electronics(clock: &Clock, began: Timestamp) -> (Devices, Vec<(&'static str, Device)>) {
    let line: Shared = Arc::new(Mutex::new(Line::new(&[PLACER, OVEN, INSPECTION], 9.0, ELECTRONICS_SEED, began)));
    let meter = Arc::clone(&line);
    let mut devices: Vec<(u8, super::modbus::Device)> = vec![(
        1,
        Box::new(move |now| {
            let line = at(&meter, now);
            let (kwh, kw) = (line.energy_kwh(), line.power_kw());
            meter_registers(1.0, Power { kwh, kvarh: kwh * REACTIVE_SHARE, kw, kvar: kw * REACTIVE_SHARE })
        }),
    )];
    for (unit, position) in [(11, 0), (12, 1)] {
        let line = Arc::clone(&line);
        devices.push((
            unit,
            Box::new(move |now| {
                let line = at(&line, now);
                line.machine(position).map_or_else(Registers::default, |machine| {
                    controller_registers(machine.state(), machine.total(), machine.scrap())
                })
            }),
        ));
    }
    let inspection: Device = Arc::new(Mutex::new(move |now: Timestamp| {
        at(&line, now).machine(2).map_or_else(Vec::new, |machine| inspection_messages(machine, now))
    }));
    (Devices::new(clock.clone(), devices), vec![("aoi-1", inspection)])
}

/// One document with everything; the time is a number of milliseconds.
fn inspection_messages(machine: &Machine, now: Timestamp) -> Vec<Message> {
    let payload = format!(
        r#"{{"time":{},"state":{},"boards":{{"tested":{},"failed":{}}}}}"#,
        now.0,
        controller_state(machine.state()),
        machine.total(),
        machine.scrap()
    );
    vec![Message { topic: "smt/aoi-1/status".to_owned(), payload }]
}

/// What a meter measures.
struct Power {
    kwh: f64,
    kvarh: f64,
    kw: f64,
    kvar: f64,
}

/// Registers of an Eastron SDM630, secondary values behind the current transformer.
fn meter_registers(ct_ratio: f64, power: Power) -> Registers {
    let apparent_kva = power.kw.hypot(power.kvar);
    let power_factor = if apparent_kva > 0.0 { power.kw / apparent_kva } else { 1.0 };
    let mut registers = Registers::default();
    registers.input_float(0, PHASE_VOLTS);
    registers.input_float(6, apparent_kva * 1000.0 / (3.0 * PHASE_VOLTS) / ct_ratio);
    registers.input_float(52, power.kw * 1000.0 / ct_ratio);
    registers.input_float(62, power_factor);
    registers.input_float(70, GRID_HERTZ);
    registers.input_float(72, METER_START_KWH + power.kwh / ct_ratio);
    registers.input_float(74, 0.0);
    registers.input_float(76, METER_START_KWH * REACTIVE_SHARE + power.kvarh / ct_ratio);
    registers.input_float(342, METER_START_KWH + power.kwh / ct_ratio);
    registers
}

/// Holding registers of a machine's controller: state at 0, totals at 2 and scrap at 4, low word first.
fn controller_registers(state: MachineState, total: u64, scrap: u64) -> Registers {
    let mut registers = Registers::default();
    registers.holding.insert(0, controller_state(state));
    registers.holding_swapped(2, total);
    registers.holding_swapped(4, scrap);
    registers
}

const fn controller_state(state: MachineState) -> u16 {
    match state {
        MachineState::Producing => 1,
        MachineState::Setup => 2,
        MachineState::Fault | MachineState::CorrectiveMaintenance => 3,
        MachineState::Stopped => 4,
        MachineState::Idle | MachineState::Down | MachineState::PlannedDown | MachineState::PreventiveMaintenance => 0,
    }
}
