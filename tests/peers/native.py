"""The peers of the native benchmarks, started by tests/src/bin/bench/native.rs; prints times in ms and what was computed.

native.py features MODEL IMAGE THREADS FRAMES     ONNX Runtime; MODEL is an .onnx, or lite.safetensors
native.py train WEIGHTS CLIPS FRAMES BATCH THREADS EPOCHS     PyTorch; CLIPS [n, FRAMES, 256] as raw f32
"""

import json
import sys
import time

import numpy as np


def read_safetensors(path):
    """All tensors of a file, which are F32."""
    data = open(path, "rb").read()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, tensor in header.items():
        first, last = (begin + offset for offset in tensor["data_offsets"])
        tensors[name] = np.frombuffer(data[first:last], np.float32).reshape(tensor["shape"])
    return tensors


def measure(runs, work):
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(1_000 * (time.perf_counter() - started))
    return times


def features(model, image, threads, frames):
    import onnxruntime

    if model.endswith(".safetensors"):
        import lite_graph

        model = lite_graph.build(read_safetensors(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    inputs = {"image": np.fromfile(image, np.float32).reshape(shape)}
    found = session.run(["features"], inputs)[0]
    times = measure(frames, lambda: session.run(["features"], inputs))
    return {"times": times, "features": found.ravel().tolist()}


def train(weights, clips, frames, batch, threads, epochs):
    """Epochs in the clips' order; clip i is of emotion i % 6. Computed: the logits of the first six after one epoch."""
    import torch

    torch.set_num_threads(threads)
    tensors = {name: torch.from_numpy(values.copy()) for name, values in read_safetensors(weights).items()}
    lstm, head = torch.nn.LSTM(256, 128, batch_first=True), torch.nn.Linear(128, 6)
    for module, prefix in ((lstm, "lstm."), (head, "head.")):
        own = {name.removeprefix(prefix): values for name, values in tensors.items() if name.startswith(prefix)}
        module.load_state_dict(own)
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], lr=1e-5)
    sequences = torch.from_numpy(np.fromfile(clips, np.float32).reshape(-1, frames, 256))
    targets = torch.eye(6)[torch.arange(len(sequences)) % 6]

    def logits(sequences):
        return head(lstm(sequences)[0][:, -1])

    def epoch():
        for first in range(0, len(sequences), batch):
            optimizer.zero_grad()
            log_probabilities = torch.log_softmax(logits(sequences[first : first + batch]), dim=1)
            target = targets[first : first + batch]
            torch.nn.functional.kl_div(log_probabilities, target, reduction="batchmean").backward()
            optimizer.step()

    # The first epoch warms up.
    epoch()
    with torch.no_grad():
        found = logits(sequences[:6]).ravel().tolist()
    return {"times": measure(epochs, epoch), "features": found}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    files = 2
    arguments = rest[:files] + [int(number) for number in rest[files:]]
    print(json.dumps({"features": features, "train": train}[what](*arguments)))
