"""Follows a run and prints what happens: python3 follow.py HOST PORT RUN. The protocol is on the page docs/reference/protocol.md."""
import base64, json, os, socket, struct, sys  # the standard library is enough


def read(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise SystemExit("the connection ended")
    return data


def send(connection, message, opcode=1):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    head = bytes([0x80 | opcode, 0x80 | len(data)]) if len(data) < 126 else struct.pack(">BBH", 0x80 | opcode, 0xFE, len(data))
    connection.sendall(head + bytes(4) + data)  # masked with zeros, which leaves the data as it is


def messages(connection, stream):
    payload = b""
    while True:
        first, length = read(stream, 2)
        if length >= 126:
            length = struct.unpack(">H" if length == 126 else ">Q", read(stream, 2 if length == 126 else 8))[0]
        data = read(stream, length)
        if first & 15 == 8:
            raise SystemExit(f"closed: {struct.unpack('>H', data[:2])[0]} {data[2:].decode()}")
        if first & 15 == 9:
            send(connection, data, opcode=10)
        if first & 15 < 3:
            payload += data
            if first & 0x80:  # the last part: binary frames are pictures
                yield payload if first & 15 == 2 else json.loads(payload)
                payload = b""


host, port, run = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = socket.create_connection((host, port))
stream = connection.makefile("rb")
key = base64.b64encode(os.urandom(16)).decode()
connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: gvu.v1\r\n\r\n".encode())
while stream.readline() != b"\r\n":
    pass
token = {"token": os.environ["GVU_TOKEN"]} if "GVU_TOKEN" in os.environ else {}
send(connection, {"op": "hello", "client": {"name": "follow.py", "version": "1"}, **token})
for message in messages(connection, stream):
    if isinstance(message, bytes):
        print(f"picture {message[40:72].hex()} of {len(message) - struct.unpack_from('<I', message, 4)[0]} bytes", flush=True)
    elif message["op"] == "hello":
        for id, channel in enumerate(["metrics", "images", "lifecycle"], 1):
            send(connection, {"op": "subscribe", "id": id, "run": run, "channel": channel, "from": "earliest", "images": "full"})
    elif message["op"] == "events":
        for event in message["events"]:
            print(event["offset"], event["type"], event["data"].get("metrics", event["data"].get("reason", "")), flush=True)
