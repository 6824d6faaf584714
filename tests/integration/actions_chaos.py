#!/usr/bin/env python3
"""Random rules, clients, origins, reloads, releases and ends, all at once.

usage: actions_chaos.py PROXY [--seed N] [--rounds N] [--first N] [--clients N]

A round is a proxy with rules, which change now and then, and clients and an origin that behave, or do
not. Nobody says what comes of it; but the proxy must not crash, nor let a connection hang, every
exchange has one good record, what arrives is whole messages in their order, none of them on another's
connection, with the digests that the log tells; and at the end nothing is left. "--first R --rounds 1"
repeats round R of a seed.
"""
import argparse
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

from actions_chaos_ends import Client, HANG, Origin
from actions_chaos_rules import check_change, random_rules
from actions_http import sha256
from actions_lab import Lab, json_file, wait_for
from wire import Failure

AT_ONCE = 12
DRAIN = 2
CONCEALED = "hidden"
MEMBERS = {"ts", "exchange", "connection", "client", "upstream", "upstream_local", "method", "target",
           "status", "call_id", "tool_name", "rpc_method", "request_bytes", "response_bytes",
           "request_sha256", "response_sha256", "duration_us", "upstream_us", "rules", "changes", "error"}


def random_options(rng):
    options = ["--idle-timeout", "1", "--response-timeout", "1", "--head-timeout", "1",
               "--drain-timeout", str(DRAIN), "--conceal", CONCEALED]
    return options + rng.choice([[], ["--rule-body-max", "10000"], ["--max-connections", "8"],
                                 ["--pcap", "/dev/null", "--pcap-source", "payload"], ["--rewrite-host"]])


class Meddler(threading.Thread):
    """Reloads rules, and looks at and releases what is held, until it is stopped."""

    def __init__(self, lab, rng):
        super().__init__()
        self.lab, self.rng, self.done, self.failure = lab, rng, threading.Event(), None
        self.saves = False

    def write_rules(self, rules):
        self.saves = self.saves or any('"save"' in rule for rule in rules)
        whole = self.lab.rules_path + ".new"
        with open(whole, "w", encoding="utf-8") as file:
            file.write(json_file(rules))
        os.replace(whole, self.lab.rules_path)

    def stop(self):
        self.done.set()
        self.join()

    def run(self):
        while not self.done.wait(self.rng.random() / 20):
            try:
                self.meddle(self.rng.random())
            except (Failure, AssertionError) as failure:
                self.failure = f"the admin port: {failure!r}"
            except OSError:
                return  # it has closed

    def meddle(self, what):
        if what < 0.2:
            self.write_rules(random_rules(self.rng, CONCEALED) if what < 0.18 else ["bad"])
            self.lab.process.send_signal(signal.SIGHUP)
        elif what < 0.5:
            for held in self.lab.held():
                status, _ = self.lab.admin("POST", f"/held/{held['id']}/release")
                assert status in (200, 404)
        else:
            method, path = self.rng.choice([("POST", "/held/release"), ("GET", "/metrics")])
            status, _ = self.lab.admin(method, path)
            assert status == 200


class Round:
    def __init__(self, program, seed, number, clients):
        self.rng = random.Random(f"{seed} round {number}")
        self.seed = f"{seed} {number}"
        self.clients = [Client(self.seed, i) for i in range(clients)]
        self.failures = []
        rules = random_rules(self.rng, CONCEALED)
        self.lab = Lab(program, random_options(self.rng), rules)
        self.meddler = Meddler(self.lab, random.Random(f"{self.seed} meddler"))
        self.meddler.saves = any('"save"' in rule for rule in rules)
        self.origin = Origin(self.lab.origin, self.seed)
        self.cut_off = self.rng.random() < 0.4  # SIGTERM comes while clients are there

    def run(self):
        before = self.descriptors()
        self.meddler.start()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            runs = [pool.submit(self.run_client, client) for client in self.clients]
            if self.cut_off:
                runs[self.rng.randrange(len(runs))].result()
                self.meddler.stop()
                self.terminate()
        self.meddler.stop()
        if not self.cut_off:
            try:
                wait_for(lambda: self.is_quiet(before), "descriptors and counters as before", HANG)
            except Failure as failure:
                self.failures.append(str(failure))
            self.terminate()
        records = self.read_log()
        try:
            self.lab.close()
        except Failure as failure:
            self.failures.append(str(failure))
        for thread in self.origin.threads:
            thread.join(HANG)
        self.failures += self.origin.failures + ([self.meddler.failure] if self.meddler.failure else [])
        self.check_records(records)
        for reader in self.origin.seen:
            self.check_origin(reader, records)
        for client in self.clients:
            self.check_client(client, records)
        return self.failures, len(records)

    def run_client(self, client):
        try:
            client.run(self.lab.address)
        except Failure as failure:
            self.failures.append(f"client {client.number}: {failure}")
        except OSError as error:
            if not self.lab.terminated:
                self.failures.append(f"client {client.number}: {error!r}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.lab.process.pid}/fd"))

    def is_quiet(self, descriptors):
        try:
            _, metrics = self.lab.admin("GET", "/metrics")
            held = self.lab.held()
        except OSError as error:
            raise Failure(f"the proxy is no more: {error!r}") from None
        return b"\nmitm_connections_open 0\n" in metrics and not held and \
            self.descriptors() <= descriptors + 1  # the admin port closes its own a moment later

    def terminate(self):
        began = time.monotonic()
        self.lab.terminate()
        try:
            self.lab.process.wait(DRAIN + HANG)
        except subprocess.TimeoutExpired:
            self.failures.append("the proxy does not end")
            self.lab.process.kill()
        if time.monotonic() - began > DRAIN + HANG / 4:
            self.failures.append(f"the proxy took {time.monotonic() - began:.1f} s to end")

    def read_log(self):
        records = []
        for line in self.lab.log:
            record = json.loads(line)
            tunnel = {"tunnel"} if "tunnel" in record and record["status"] == 101 else set()
            if set(record) != MEMBERS | tunnel:
                self.failures.append(f"members of {line}")
            records.append(record)
        return records

    def check_records(self, records):
        by_id = {record["exchange"]: record for record in records}
        if sorted(by_id) != list(range(1, len(records) + 1)):
            self.failures.append(f"ids in the log: {[record['exchange'] for record in records]}")
        told = [record["target"] for record in records if record["client"] and record["target"]]
        if len(told) != len(set(told)):
            self.failures.append(f"exchanges that are told twice, among {told}")
        for record in records:
            wrong = [why for change in record["changes"] if "rule" in change or change["field"] != "Host"
                     for why in [check_change(change, CONCEALED)] if why]
            if wrong or CONCEALED in record["rules"]:
                self.failures.append(f"{wrong} of {record}")
            if not record["client"]:
                of = by_id.get((record["changes"] or [{}])[0].get("of"))
                if not of or of["target"] != record["target"] or of["client"] is None:
                    self.failures.append(f"a copy of none: {record}")
            self.check_body_changes(record)

    def check_body_changes(self, record):
        bodies = [(change["side"], change["body"]) for change in record["changes"] if "body" in change]
        for side, body in bodies if not record["error"] else []:
            if record[side + "_sha256"] != body["new_sha256"]:
                self.failures.append(f"the body of the {side} went on as another: {record}")
        if len(dict(bodies)) < len(bodies):
            self.failures.append(f"a body changed twice: {record}")

    def record_of(self, target, records):
        return next((r for r in records if r["target"] == target and r["client"]), None)

    def check_digest(self, target, record, side, content):
        if record and not record["error"] and record[side + "_sha256"] != sha256(content):
            self.failures.append(f"a {side} of {len(content)} bytes went on, of which the log says "
                                 f"{record}")

    def check_origin(self, reader, records):
        targets = [message.head.split(b" ")[1].decode() for message in reader.messages]
        places = [tuple(map(int, target.split("/")[1:])) for target in targets]
        if places != sorted(set(places)) or len({place[0] for place in places}) > 1:
            self.failures.append(f"on one upstream connection came {targets}")
        for target, message in zip(targets, reader.messages):
            record = self.record_of(target, records)
            if not record:
                self.failures.append(f"{target} is in no record")
            elif message.whole:
                self.check_digest(target, record, "request", message.content())

    def check_client(self, client, records):
        messages = [m for m in client.reader.messages if m.field(b"x-t")]
        targets = [message.field(b"x-t").decode() for message in messages]
        if self.meddler.saves:
            return  # an answer may be anybody's
        places = [tuple(map(int, target.split("/")[1:])) for target in targets]
        if places != sorted(places) or {place[0] for place in places} - {client.number}:
            self.failures.append(f"client {client.number} was answered {targets}")
        for target, message in zip(targets, messages):
            if message.whole:
                self.check_digest(target, self.record_of(target, records), "response",
                                  message.content())


def main():
    options = argparse.ArgumentParser(usage=re.search("usage: (.*)", __doc__)[1])
    options.add_argument("program")
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--clients", type=int, default=40)
    options = options.parse_args()
    print(f"seed {options.seed}", flush=True)
    failed = exchanges = 0
    for number in range(options.first, options.first + options.rounds):
        this = Round(options.program, options.seed, number, options.clients)
        try:
            failures, count = this.run()
        except Failure as failure:
            failures, count = [str(failure)], 0
        finally:
            this.lab.process.kill()  # it has ended, unless the test itself failed
        exchanges += count
        failed += bool(failures)
        for failure in failures:
            print(f"FAILED round {number}: {failure[:2000]}", flush=True)
    print(f"{options.rounds - failed} of {options.rounds} rounds passed, {exchanges} exchanges")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
