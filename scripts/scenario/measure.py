"""Every attack under every defence: several labs at once, each in namespaces of its own."""
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from . import lab
from .judge import cell
from .scenarios import PROFILES

LABS_PER_CPU = 3  # a lab mostly waits: for recorders, and where its attack is to wait


def measure_one(scenario, profile, folder, keep):
    measured = cell(scenario, profile, lab.run(scenario, profile, folder, "native"))
    if not keep:
        shutil.rmtree(folder)
    return measured


def measure(chosen, folder, keep=False, say=None):
    """{(scenario's name, profile): cell}. Runs are left in FOLDER/NAME/PROFILE where they are to be
    kept. SAY is told of each cell that is done: (number, of how many, cell).
    """
    say = say or (lambda number, total, measured: None)
    lab.build("native")
    cells = {}
    total = len(chosen) * len(PROFILES)
    with ThreadPoolExecutor(LABS_PER_CPU * (os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(measure_one, scenario, profile, folder / scenario.folder.name / profile,
                            keep)
                for scenario in chosen for profile in PROFILES]
        try:
            for job in as_completed(jobs):
                measured = job.result()
                cells[measured["scenario"], measured["defence"]] = measured
                say(len(cells), total, measured)
        except BaseException:
            lab.stop_all()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return cells


def progress(number, total, measured):
    """A line each; on a terminal one line that changes."""
    text = f"[{number:3}/{total}] {measured['scenario']} under {measured['defence']}: {measured['outcome']}"
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="" if number < total else "\n", flush=True)
    else:
        print(text, flush=True)
