#!/usr/bin/env python3
"""Throughput and latency of `burgeon serve` beside the same ONNX file in ONNX Runtime behind uvicorn, and beside ONNX Runtime
and burgeon within one process.

    python3 -m venv target/peers && target/peers/bin/pip install numpy onnxruntime uvicorn httptools starlette
    cargo build --release
    target/peers/bin/python benches/peers/serving.py RUN MNIST_FOLDER [SECONDS [ROUNDS]]

RUN is a run of `models/lenet.toml`. 16 connections each send 32 images as raw bytes and read raw float32 logits, over the
loopback; the client (`client.rs`) is a process of its own, which shares the cores with the server. Servers are measured in
turns; medians of the rounds are printed. Then single images, 100 a second, and their latencies. uvicorn runs on uvloop where
that is installed (`pip install uvloop`), which is said.

In between, burgeon's network classifies batches of the same 32 images within a process of its own, a thread for each core
(`benches/inference.rs`): what its server cannot exceed. The ratio of both is printed. That program is run by `cargo bench`,
or is what BURGEON_INFERENCE names.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

BURGEON = os.environ.get("BURGEON_BINARY", "target/release/burgeon")
HERE = pathlib.Path(__file__).parent
CONNECTIONS, IMAGES = 16, 32


def requests(pixels, count):
    """The bytes of a request to each server, and how long the answer's logits are."""
    body = pixels[: count * 784]
    header = json.dumps(
        {
            "inputs": [
                {
                    "name": "images",
                    "shape": [count, 1, 28, 28],
                    "datatype": "UINT8",
                    "parameters": {"binary_data_size": len(body)},
                }
            ],
            "outputs": [{"name": "logits", "parameters": {"binary_data": True}}],
        }
    ).encode()
    burgeon = (
        f"POST /v2/models/lenet-5/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nInference-Header-Content-Length: {len(header)}\r\n"
        f"Content-Length: {len(header) + len(body)}\r\n\r\n"
    ).encode() + header + body
    peer = f"POST /infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    return {"burgeon": burgeon, "uvicorn": peer}


def answer(stream):
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        if not more:
            raise EOFError("the server hung up")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(head.decode() + body.decode(errors="replace"))
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += stream.recv(65536)
    return body


def throughput(client, port, request, seconds):
    """Images a second by all connections."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(request)
        file.flush()
        command = [client, str(port), file.name, str(CONNECTIONS), str(seconds)]
        answers = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return IMAGES * float(answers)


def latencies(port, request, seconds, rate=100):
    found = []
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        for at in range(int(seconds * rate)):
            time.sleep(max(0.0, began + at / rate - time.monotonic()))
            sent = time.monotonic()
            stream.sendall(request)
            answer(stream)
            found.append((time.monotonic() - sent) * 1e3)
    found.sort()
    return [found[int(len(found) * share)] for share in (0.5, 0.99)]


def wait(url):
    for _ in range(300):
        try:
            return urllib.request.urlopen(url, timeout=1).read()
        except urllib.error.HTTPError:
            return b""
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} never answers")


def bare_onnx(model, pixels, seconds):
    """Two threads, each with batches of 128 images, as a server would compute them at best."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    images = numpy.frombuffer(pixels[: 128 * 784], numpy.uint8).reshape(-1, 1, 28, 28)
    counts, end = [0, 0], time.monotonic() + seconds

    def work(at):
        while time.monotonic() < end:
            session.run(None, {"images": images.astype(numpy.float32) / 255})
            counts[at] += 128

    threads = [threading.Thread(target=work, args=(at,)) for at in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sum(counts) / seconds


def bare_burgeon(run, pixels, seconds):
    """burgeon's network within one process, a thread for each core, each with batches of 32 images."""
    command = os.environ.get("BURGEON_INFERENCE")
    command = [command] if command else ["cargo", "bench", "--quiet", "--bench", "inference", "--"]
    with tempfile.NamedTemporaryFile() as file:
        file.write(pixels)
        file.flush()
        command = [*command, os.path.abspath(run), file.name, str(IMAGES), str(seconds)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(said.split()[-2])


def main():
    import gzip

    run, mnist = sys.argv[1], pathlib.Path(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 5.0
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    model = str(pathlib.Path(run) / "best/model.onnx")
    file = next(path for path in mnist.iterdir() if path.name.startswith("t10k-images"))
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    pixels = content[16:]
    port = int(os.environ.get("BURGEON_PEER_PORT", "8611"))
    ports = {"burgeon": port, "uvicorn": port + 1}
    commands = {
        "burgeon": [BURGEON, "serve", run, "--listen", f"127.0.0.1:{ports['burgeon']}", "--log", "warn"],
        "uvicorn": [sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "--port", str(ports["uvicorn"])]
        + ["--no-access-log", "--log-level", "warning", "serve_peer:app"],
    }
    servers, folder = [], tempfile.mkdtemp(prefix="burgeon-serving-")
    print("uvicorn on", "uvloop" if importlib.util.find_spec("uvloop") else "asyncio")
    try:
        for command in commands.values():
            environment = dict(os.environ, BURGEON_PEER_MODEL=model)
            servers.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        wait(f"http://127.0.0.1:{ports['burgeon']}/livez")
        wait(f"http://127.0.0.1:{ports['uvicorn']}/")
        many, one = requests(pixels, IMAGES), requests(pixels, 1)
        bare = {"burgeon in one process": lambda: bare_burgeon(run, pixels, seconds)}
        bare["ONNX Runtime in one process"] = lambda: bare_onnx(model, pixels, seconds)
        bare_burgeon(run, pixels, 0.1)  # Compiles it.
        client = str(pathlib.Path(folder) / "client")
        subprocess.run(["rustc", "-O", "--edition", "2024", "-o", client, HERE / "client.rs"], check=True)
        found = {name: [] for name in [*ports, *bare]}
        for _ in range(rounds):
            for name in ports:
                found[name].append(throughput(client, ports[name], many[name], seconds))
            for name, measure in bare.items():
                found[name].append(measure())
        for name, values in found.items():
            shown = ", ".join(f"{value:,.0f}" for value in values)
            print(f"{name}: {statistics.median(values):,.0f} images/s ({shown})")
        median = {name: statistics.median(values) for name, values in found.items()}
        print(f"burgeon / uvicorn: {median['burgeon'] / median['uvicorn']:.1f}")
        print(f"burgeon / burgeon in one process: {median['burgeon'] / median['burgeon in one process']:.2f}")
        for name in ports:
            p50, p99 = latencies(ports[name], one[name], 2 * seconds)
            print(f"{name}: single image at 100 a second, p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
