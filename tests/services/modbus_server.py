"""A Modbus server that does what the test says, line by line on standard input.

    modbus_server.py tcp PORT
    modbus_server.py tls PORT    server.pem, server.key and authority.pem lie beside it; a client needs a certificate
    modbus_server.py rtu+tcp PORT   the frames of a serial line through TCP
    modbus_server.py rtu         the same behind a pseudo-terminal; the first line of output is its other end's path

    set TABLE ADDRESS WORD...   TABLE is coil, discrete, holding or input; every word of the request after it is new
    delay MS                    answers wait so long
    fail CODE                   answers are exceptions of this code; 0 ends it
    requests                    prints what was asked so far, as JSON [[function code, address, count], ...]

Each command is answered by one line. The server ends when standard input does, so it never outlives its test.
"""

import asyncio
import json
import os
import socket
import ssl
import sys
import threading
import tty

from pymodbus import ModbusDeviceIdentification
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

TABLES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
WRITES = {5: 1, 15: 1, 6: 3, 16: 3, 22: 3, 23: 3}
REGISTERS = 1000

words = {code: {} for code in TABLES.values()}
asked = []
settings = {"delay_ms": 0, "fail": 0}


async def action(function_code, start_address, address, count, registers, _set_values):
    asked.append([function_code, address, count])
    if settings["delay_ms"]:
        await asyncio.sleep(settings["delay_ms"] / 1000)
    if settings["fail"]:
        return ExcCodes(settings["fail"])
    for at, word in words[WRITES.get(function_code, function_code)].items():
        if function_code in (1, 2):
            offset, bit = at // 16 - start_address, 1 << (at % 16)
            registers[offset] = registers[offset] | bit if word else registers[offset] & ~bit
        else:
            registers[at - start_address] = word
    return None


def obey(line):
    command, *arguments = line.split()
    if command == "set":
        table, address, *values = arguments
        for offset, value in enumerate(values):
            words[TABLES[table]][int(address) + offset] = int(value)
    elif command == "delay":
        settings["delay_ms"] = int(arguments[0])
    elif command == "fail":
        settings["fail"] = int(arguments[0])
    elif command == "requests":
        return json.dumps(asked)
    else:
        return f"unknown command {command}"
    return "ok"


def copy(read, write):
    """Carries bytes one way until either end is gone."""
    try:
        while data := read(4096):
            write(data)
    except OSError:
        pass


def server(device):
    identity = ModbusDeviceIdentification(
        info_name={"VendorName": "Pymodbus", "ProductCode": "PM", "MajorMinorRevision": "1.0"}
    )
    kind = sys.argv[1]
    if kind == "tcp":
        return ModbusTcpServer(device, identity=identity, address=("127.0.0.1", int(sys.argv[2])))
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("server.pem", "server.key")
        context.load_verify_locations("authority.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        # Modbus Security keeps the header of Modbus TCP.
        return ModbusTlsServer(
            device, framer=FramerType.SOCKET, identity=identity, address=("127.0.0.1", int(sys.argv[2])), sslctx=context
        )
    port = int(sys.argv[2]) if kind == "rtu+tcp" else 0
    return ModbusTcpServer(device, framer=FramerType.RTU, identity=identity, address=("127.0.0.1", port))


def lay_line(port):
    """Lays a pseudo-terminal to the server, and prints the path of its other end."""
    near, far = os.openpty()
    tty.setraw(far)
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for read, write in [
        (lambda size: os.read(near, size), stream.sendall),
        (stream.recv, lambda data: os.write(near, data)),
    ]:
        threading.Thread(target=copy, args=(read, write), daemon=True).start()
    print(os.ttyname(far), flush=True)


async def main():
    bits = [SimData(0, values=[False] * REGISTERS, datatype=DataType.BITS)]
    registers = [SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS)]
    device = SimDevice(0, simdata=(bits, bits, registers, registers), action=action)
    serving = server(device)
    await serving.serve_forever(background=True)
    if sys.argv[1] == "rtu":
        port = serving.transport.sockets[0].getsockname()[1]
        await asyncio.get_running_loop().run_in_executor(None, lay_line, port)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        print(obey(line), flush=True)
    await serving.shutdown()


asyncio.run(main())
