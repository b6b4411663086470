"""The same ONNX file behind uvicorn: raw bytes in, [images, 1, 28, 28] from 0 to 255, and raw float32 logits out.

    BURGEON_PEER_MODEL=best/model.onnx uvicorn --app-dir benches/peers --port 9000 --no-access-log serve_peer:app
"""

import os

import numpy
import onnxruntime
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("BURGEON_PEER_THREADS", "1"))
session = onnxruntime.InferenceSession(os.environ["BURGEON_PEER_MODEL"], options)


def compute(body):
    images = numpy.frombuffer(body, numpy.uint8).reshape(-1, 1, 28, 28).astype(numpy.float32) / 255
    return session.run(None, {"images": images})[0].astype("<f4").tobytes()


async def infer(request):
    return Response(await run_in_threadpool(compute, await request.body()), media_type="application/octet-stream")


app = Starlette(routes=[Route("/infer", infer, methods=["POST"])])
