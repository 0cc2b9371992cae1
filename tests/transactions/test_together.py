"""Several clients at once: reads, stores and deletions of the same Study never disturb each other."""

from __future__ import annotations

import random
import threading
from collections import Counter

import httpx
import pytest

from dicom_files import ct, part10, uid

FILE = {"Content-Type": "application/dicom"}
ALLOWED = {
    "store": {200},
    "delete": {204, 404, 410},
    "retrieve": {200, 404, 410},
    "metadata": {200, 404, 410},
    "search": {200},
}


@pytest.mark.slow
def test_store_delete_and_read_of_one_study(base_url: str) -> None:
    study, series = uid(), [uid(), uid()]
    files = {
        data.SOPInstanceUID: (data.SeriesInstanceUID, part10(data))
        for data in (ct(StudyInstanceUID=study, SeriesInstanceUID=series[number % 2]) for number in range(12))
    }
    seen: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as client:
            for _ in range(80):
                instance, (number, file) = dice.choice(list(files.items()))
                path = f"/studies/{study}/series/{number}/instances/{instance}"
                action = dice.choice(["store", "store", "delete", "retrieve", "metadata", "search"])
                if action == "store":
                    status = client.post("/studies", content=file, headers=FILE).status_code
                elif action == "delete":
                    status = client.delete(dice.choice([path, path, f"/studies/{study}/series/{number}"])).status_code
                elif action == "retrieve":
                    answer = client.get(path, headers={"Accept": "application/dicom; transfer-syntax=*"})
                    status = answer.status_code
                    assert status != 200 or answer.content == file
                elif action == "metadata":
                    status = client.get(dice.choice([path, f"/studies/{study}"]) + "/metadata").status_code
                else:
                    status = client.get("/instances", params={"StudyInstanceUID": study}).status_code
                with lock:
                    seen[action, status] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {(action, status) for action, status in seen if status not in ALLOWED[action]} == set(), seen
    assert sum(seen.values()) == 480
    with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as client:
        instances = client.get("/instances", params={"StudyInstanceUID": study}).json()
        found = client.get("/studies", params={"StudyInstanceUID": study}).json()
        counted = found[0]["00201208"]["Value"][0] if found else 0
        assert counted == len(instances)
        by_series = Counter(instance["0020000E"]["Value"][0] for instance in instances)
        listed = client.get(f"/studies/{study}/series").json()
        assert {match["0020000E"]["Value"][0]: match["00201209"]["Value"][0] for match in listed} == by_series
        if found:
            assert found[0]["00201206"]["Value"] == [len(by_series)]
