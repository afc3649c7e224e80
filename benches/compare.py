"""What BENCHMARKS.md says, as its Markdown tables: this project beside other frameworks, in alternating rounds.

    python benches/compare.py train infer memory first scaling --peers PEERS.py

Run it from the project's root after `cargo build --release --example throughput`, with the Python that has the other
frameworks. `PEERS.py FRAMEWORK MODEL MODE --batch N --seconds S` is to train (`MODE` is `train`) or run (`infer`) a network
and to print one line of JSON with its `images_per_second`, as `examples/throughput.rs` does; `benches/pytorch.py` is one for
PyTorch. `first` and `scaling` need no peers. Absolute figures drift on a machine that does something else as well; ratios of runs that follow each other do less.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

NETWORKS = {"lecture": 128, "vgg": 64, "resnet20": 128, "resnet50": 64, "mobile": 64, "resnext": 64, "volumes": 64}
TRAINERS = "torch,torch-cl,torch-compile,torch-cl-compile,keras-tensorflow,keras-torch"
PREDICTORS = "ort,openvino,torch-cl"
LARGE = 1024


class Failed(Exception):
    """A program gave no figure."""


def run(command, **variables):
    """The line of JSON of a program, the most memory it had in MB, the milliseconds from its start to that line, and how many
    processors it had on average: fewer than its threads means that something else was running."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        found = None
        for line in process.stdout:
            if line.startswith("{"):
                elapsed = (time.perf_counter() - start) * 1e3
                found = json.loads(line)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if found is None:
            errors.seek(0)
            raise Failed(f"no figure from {shlex.join(command)}\n{errors.read()[-1500:]}")
    processors = (usage.ru_utime + usage.ru_stime) / (time.perf_counter() - start)
    return found, usage.ru_maxrss / 1e3, elapsed, processors


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(title, *cells):
    print(f"\n{title}\n")
    row(*cells)
    row(*(["---"] + ["---:"] * (len(cells) - 1)))


def median(values):
    return statistics.median(values)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments

    def ours(self, network, mode, batch, *more, **variables):
        a = self.arguments
        tail = ["--model", network, "--mode", mode, "--batch", str(batch), "--seconds", a.seconds, *more]
        return run(shlex.split(a.ours) + tail, **variables)

    def peer(self, peer, network, mode, batch):
        a = self.arguments
        if a.peers is None:
            sys.exit("`--peers PEERS.py` says how to run the other frameworks")
        tail = [peer, network, mode, "--batch", str(batch), "--seconds", a.seconds]
        return run([sys.executable, a.peers] + tail)

    def rates(self, mode, peers, batches):
        """Images a second; each ratio is that of a run of ours and the run of the peer after it. A peer that fails has none."""
        header(f"Images a second, {mode}:", "network", "batch", "ours", *peers, "ours / best")
        for network, batch in batches:
            ours, theirs, ratios = [], {peer: [] for peer in peers}, {peer: [] for peer in peers}
            for _ in range(self.arguments.rounds):
                for peer in peers:
                    mine = self.ours(network, mode, batch)[0]["images_per_second"]
                    ours.append(mine)
                    try:
                        other = self.peer(peer, network, mode, batch)[0]["images_per_second"]
                    except Failed as failure:
                        print(failure, file=sys.stderr)
                        continue
                    theirs[peer].append(other)
                    ratios[peer].append(mine / other)
            cells = [f"{median(theirs[peer]):,.0f} ({median(ratios[peer]):.2f})" if theirs[peer] else "–" for peer in peers]
            worst = min((median(found) for found in ratios.values() if found), default=None)
            row(network, batch, f"{median(ours):,.0f}", *cells, f"**{worst:.2f}**" if worst else "–")

    def train(self):
        self.rates("train", self.arguments.trainers.split(","), self.batches())

    def infer(self):
        batches = [(network, each) for network, batch in self.batches() for each in (batch, 1)]
        self.rates("infer", self.arguments.predictors.split(","), list(dict.fromkeys(batches)))

    def memory(self):
        """The most memory of a training process; what the network takes is that less the same process' at batch 1."""
        peers = ["torch", "torch-cl"]
        header("Peak memory of a training process in MB (above that of batch 1):", "network", "batch", "ours", *peers)
        for network, batch in self.batches():
            least = [self.ours(network, "train", 1)[1]] + [self.peer(peer, network, "train", 1)[1] for peer in peers]
            for batch in (batch, LARGE):
                most = [self.ours(network, "train", batch)[1]]
                most += [self.peer(peer, network, "train", batch)[1] for peer in peers]
                row(network, batch, *(f"{most:.0f} ({most - least:.0f})" for most, least in zip(most, least)))

    def first(self):
        """From the start of a fresh process to its first prediction."""
        header("Milliseconds from the start of a process to its first prediction:", "network", "weights", "best", "median")
        with tempfile.TemporaryDirectory() as directory:
            for network, _ in self.batches():
                checkpoint = ["--checkpoint", os.path.join(directory, f"{network}.safetensors")]
                run(shlex.split(self.arguments.ours) + ["--model", network, "--mode", "train", "--seconds", "0", *checkpoint])
                for weights, more in (("fresh", []), ("of a file", checkpoint)):
                    found = [self.ours(network, "first", 1, *more)[2] for _ in range(20)]
                    row(network, weights, f"{min(found):.1f}", f"{median(found):.1f}")

    def scaling(self):
        """Microseconds an image over batches, and how much faster two threads are than one."""
        sizes = [32, 64, 128, 256, 512, 1024]
        header("Training, microseconds an image:", "network", *(f"batch {size}" for size in sizes), "1024 / 32")
        for network, _ in self.batches():
            rates = {size: [] for size in sizes}
            for _ in range(self.arguments.rounds):
                for size in sizes:
                    rates[size].append(self.ours(network, "train", size)[0]["images_per_second"])
            cost = {size: 1e6 / median(found) for size, found in rates.items()}
            row(network, *(f"{cost[size]:,.0f}" for size in sizes), f"{cost[1024] / cost[32]:.2f}")
        header("Images a second by threads:", "network", "mode", "batch", "1 thread", "2 threads", "ratio", "processors had")
        for network, batch in self.batches():
            for mode in ("train", "infer"):
                rates, ratios, processors = {1: [], 2: []}, [], {1: [], 2: []}
                for _ in range(self.arguments.rounds):
                    for threads, found in rates.items():
                        line, _, _, had = self.ours(network, mode, batch, RAYON_NUM_THREADS=threads)
                        found.append(line["images_per_second"])
                        processors[threads].append(had)
                    ratios.append(rates[2][-1] / rates[1][-1])
                had = ", ".join(f"{median(found):.1f}" for found in processors.values())
                row(network, mode, batch, *(f"{median(found):,.0f}" for found in rates.values()), f"{median(ratios):.2f}", had)

    def batches(self):
        return self.arguments.networks


def networks(text):
    """The networks of a list such as `lecture,vgg:1024`, each with its batch."""
    found = []
    for named in text.split(","):
        network, _, batch = named.partition(":")
        if network not in NETWORKS or not (batch or "1").isdecimal() or int(batch or 1) == 0:
            raise argparse.ArgumentTypeError(f"`{named}` is none of {', '.join(NETWORKS)}, with `:BATCH` if it is another")
        found.append((network, int(batch or NETWORKS[network])))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", choices=["train", "infer", "memory", "first", "scaling"])
    parser.add_argument("--peers", metavar="PEERS.py", help="the program that runs the other frameworks")
    parser.add_argument("--networks", type=networks, default="lecture,vgg,resnet20", help="each with `:BATCH` if it is another than its own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", default="3")
    parser.add_argument("--trainers", default=TRAINERS, help="peers of `train`")
    parser.add_argument("--predictors", default=PREDICTORS, help="peers of `infer`")
    parser.add_argument("--ours", default="target/release/examples/throughput", help="this project's program")
    bench = Bench(parser.parse_args())
    try:
        for table in bench.arguments.tables:
            getattr(bench, table)()
    except Failed as failure:
        sys.exit(str(failure))


main()
