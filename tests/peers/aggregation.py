"""flwr as the peer of tests/src/bin/bench/aggregation.rs; prints times in ms and its largest resident set in kB.

aggregation.py RULE VALUES RESULT CLIENTS RUNS     RULE: fedavg, median, trimmed-mean, krum (flwr's
strategies, from the bytes of updates to those of the model), or round (FedAvg over gRPC on loopback)

VALUES is raw f32. Client i has the window of 1 M values that begins at 997 i, times 0.5 + i / CLIENTS, of i + 1 examples. RESULT is written as
raw f32: what the first run has computed.
"""

import json
import os
import resource
import socket
import sys
import threading
import time

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import flwr
import numpy as np

COORDINATES = 1_000_000


def updates(path, clients):
    values = np.fromfile(path, np.float32)
    for client in range(clients):
        window = values[997 * client :][:COORDINATES]
        yield window * np.float32(0.5 + client / clients), client + 1


def aggregate(rule, updates, runs):
    from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.server import strategy

    def result(values, examples):
        return None, FitRes(Status(Code.OK, ""), ndarrays_to_parameters([values]), examples, {})

    # flwr's mean of the selected is weighted, Krum's (Blanchard et al. 2017) is not.
    results = [result(values, 1 if rule == "krum" else examples) for values, examples in updates]
    rule = {
        "fedavg": strategy.FedAvg(),
        "median": strategy.FedMedian(),
        "trimmed-mean": strategy.FedTrimmedAvg(beta=0.1),
        "krum": strategy.Krum(num_malicious_clients=len(results) // 10, num_clients_to_keep=len(results) // 2),
    }[rule]
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        found, _ = rule.aggregate_fit(1, results, [])
        times.append(1_000 * (time.perf_counter() - started))
    return times, parameters_to_ndarrays(found)[0]


def rounds(updates, runs):
    """FedAvg over gRPC, clients as threads of this process: a round is from the model's way to the clients to the new model."""
    from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.compat.client.app import start_client
    from flwr.compat.client.numpy_client import NumPyClient
    from flwr.compat.server.app import start_server
    from flwr.server import ServerConfig

    class Client(NumPyClient):
        def __init__(self, update, examples):
            self.update, self.examples = update, examples

        def fit(self, parameters, config):
            return [parameters[0] + self.update], self.examples, {}

    times, models = [], []

    class Measured(flwr.server.strategy.FedAvg):
        def configure_fit(self, **arguments):
            self.started = time.perf_counter()
            return super().configure_fit(**arguments)

        def aggregate_fit(self, *arguments, **named):
            found = super().aggregate_fit(*arguments, **named)
            times.append(1_000 * (time.perf_counter() - self.started))
            models.append(parameters_to_ndarrays(found[0])[0])
            return found

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    clients = [Client(values, examples) for values, examples in updates]
    everyone = {"min_fit_clients": len(clients), "min_available_clients": len(clients), "fraction_evaluate": 0.0}
    first = ndarrays_to_parameters([np.zeros(COORDINATES, np.float32)])

    def start(client):
        # A client does not wait for a server.
        while socket.socket().connect_ex(("127.0.0.1", int(address.split(":")[1]))) != 0:
            time.sleep(0.1)
        start_client(server_address=address, client=client.to_client(), insecure=True)

    for client in clients:
        threading.Thread(target=start, args=[client], daemon=True).start()
    strategy = Measured(initial_parameters=first, **everyone)
    start_server(server_address=address, config=ServerConfig(num_rounds=runs), strategy=strategy)
    return times, models[0]


if __name__ == "__main__":
    rule, values, result, *numbers = sys.argv[1:]
    clients, runs = map(int, numbers)
    given = updates(values, clients)
    times, found = rounds(given, runs) if rule == "round" else aggregate(rule, given, runs)
    found.astype(np.float32).tofile(result)
    print(json.dumps({"times": times, "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
