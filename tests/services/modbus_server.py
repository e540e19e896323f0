"""A Modbus TCP server that does what the test says, line by line on standard input.

    set TABLE ADDRESS WORD...   TABLE is coil, discrete, holding or input; every word of the request after it is new
    delay MS                    answers wait so long
    fail CODE                   answers are exceptions of this code; 0 ends it
    requests                    prints what was asked so far, as JSON [[function code, address, count], ...]

Each command is answered by one line. The server ends when standard input does, so it never outlives its test.
"""

import asyncio
import json
import sys

from pymodbus import ModbusDeviceIdentification
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
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


async def main():
    bits = [SimData(0, values=[False] * REGISTERS, datatype=DataType.BITS)]
    registers = [SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS)]
    device = SimDevice(0, simdata=(bits, bits, registers, registers), action=action)
    names = ModbusDeviceIdentification(
        info_name={"VendorName": "Pymodbus", "ProductCode": "PM", "MajorMinorRevision": "1.0"}
    )
    server = ModbusTcpServer(device, identity=names, address=("127.0.0.1", int(sys.argv[1])))
    await server.serve_forever(background=True)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        print(obey(line), flush=True)
    await server.shutdown()


asyncio.run(main())
