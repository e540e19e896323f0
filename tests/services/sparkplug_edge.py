"""A Sparkplug edge node with one device, spoken by pysparkplug; the test tells it on standard input what to do.

usage: sparkplug_edge.py PORT SESSION NOW_MS REAL_MS SPEED

Its clock shows NOW_MS when the machine's shows REAL_MS, and runs SPEED times as fast. One command a line, one answer a line:
    birth                 NBIRTH and DBIRTH
    data NAME VALUE       DDATA of one metric, by alias alone and without datatype, as the specification wants it
    history NAME VALUE MS the same, taken MS before now and marked as historical
    null NAME             the same without a value
    skip                  lets one number of the sequence pass, as a lost message does
    ddeath                DDEATH of the device
    leave                 NDEATH, then a farewell
    rebirths              how many rebirth requests came
"""

import sys
import threading
import time

import pysparkplug as spb

PORT, SESSION, NOW_MS, REAL_MS, SPEED = (float(argument) if "." in argument else int(argument) for argument in sys.argv[1:])
GROUP, NODE, DEVICE = "plant-1", "edge 1", "press 1"

lock = threading.Lock()
connected = threading.Event()
seq = 0
rebirths = 0
# Name, alias, datatype, value.
metrics = {
    "Counters/Total": [1, spb.DataType.UINT64, 1000],
    "State": [2, spb.DataType.STRING, "run"],
    "Temperature": [3, spb.DataType.INT16, -5],
    "Picture": [4, spb.DataType.BYTES, b"\x00\xff"],
}


def now():
    return NOW_MS + int((time.time() * 1000 - REAL_MS) * SPEED)


def next_seq():
    global seq
    taken, seq = seq, (seq + 1) % 256
    return taken


def topic(kind, device=None):
    return spb.Topic(group_id=GROUP, message_type=kind, edge_node_id=NODE, device_id=device)


def publish(kind, payload, device=None):
    client.publish(
        spb.Message(topic=topic(kind, device), payload=payload, qos=spb.QoS.AT_MOST_ONCE, retain=False),
        include_dtypes=kind in (spb.MessageType.NBIRTH, spb.MessageType.DBIRTH, spb.MessageType.NDEATH),
    )


def bd_seq():
    return spb.Metric(timestamp=now(), name="bdSeq", datatype=spb.DataType.INT64, value=SESSION)


def birth():
    global seq
    seq = 0
    control = spb.Metric(timestamp=now(), name="Node Control/Rebirth", datatype=spb.DataType.BOOLEAN, value=False)
    publish(spb.MessageType.NBIRTH, spb.NBirth(timestamp=now(), seq=next_seq(), metrics=(bd_seq(), control)))
    of_device = tuple(
        spb.Metric(timestamp=now(), name=name, alias=alias, datatype=datatype, value=value)
        for name, (alias, datatype, value) in metrics.items()
    )
    publish(spb.MessageType.DBIRTH, spb.DBirth(timestamp=now(), seq=next_seq(), metrics=of_device), DEVICE)


def data(name, value, back_ms=0, historical=False):
    alias, datatype, _ = metrics[name]
    metric = spb.Metric(
        timestamp=now() - back_ms, name=None, alias=alias, datatype=datatype, value=value, is_historical=historical
    )
    publish(spb.MessageType.DDATA, spb.DData(timestamp=now(), seq=next_seq(), metrics=(metric,)), DEVICE)


def on_command(_, message):
    global rebirths
    for metric in message.payload.metrics:
        if metric.name == "Node Control/Rebirth" and metric.value is True:
            with lock:
                rebirths += 1
                birth()


def on_connect(_):
    with lock:
        birth()
    connected.set()


def value_of(name, text):
    return text if metrics[name][1] == spb.DataType.STRING else int(text)


client = spb.Client(client_id=f"edge-{SESSION}")
will = spb.NDeath(timestamp=now(), bd_seq_metric=bd_seq())
client.set_will(
    spb.Message(topic=topic(spb.MessageType.NDEATH), payload=will, qos=spb.QoS.AT_LEAST_ONCE, retain=False)
)
client.subscribe(topic(spb.MessageType.NCMD), spb.QoS.AT_LEAST_ONCE, on_command)
client.connect("127.0.0.1", port=PORT, callback=on_connect)
connected.wait()
print("ready", flush=True)

for line in sys.stdin:
    # A comma separates, because names may hold spaces.
    command, *arguments = line.rstrip("\n").split(",")
    answer = "ok"
    with lock:
        if command == "birth":
            birth()
        elif command == "data":
            metrics[arguments[0]][2] = value_of(*arguments)
            data(arguments[0], metrics[arguments[0]][2])
        elif command == "history":
            data(arguments[0], value_of(*arguments[:2]), int(arguments[2]), historical=True)
        elif command == "null":
            data(arguments[0], None)
        elif command == "skip":
            next_seq()
        elif command == "ddeath":
            publish(spb.MessageType.DDEATH, spb.DDeath(timestamp=now(), seq=next_seq()), DEVICE)
        elif command == "leave":
            publish(spb.MessageType.NDEATH, spb.NDeath(timestamp=now(), bd_seq_metric=bd_seq()))
            client.disconnect()
        elif command == "rebirths":
            answer = str(rebirths)
        else:
            answer = f"unknown command {command}"
    print(answer, flush=True)
