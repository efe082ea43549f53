"""What was measured, one JSON object a line, and how much time is left."""

import json
import sys
import time

KEY = ("device", "what", "size", "frames", "dtype", "ranks", "mesh", "plan", "groups", "jobs")


def key_of(record):
    return tuple(record.get(name) for name in KEY)


class Records:
    """Each is on the disk as soon as it is measured; a later one replaces an earlier one of the same key."""

    def __init__(self, path):
        self.path = path
        self.by_key = {}
        if not path.exists():
            return
        for number, line in enumerate(path.read_text().split("\n"), 1):
            try:
                record = json.loads(line or "{}")
            except json.JSONDecodeError:
                print(f"{path}: line {number} is no JSON, as when a run is killed while it writes: left out", file=sys.stderr)
                continue
            if record:
                self.by_key[key_of(record)] = record

    def torn(self):
        """Whether the last line has no end."""
        text = self.path.read_text() if self.path.exists() else ""
        return text != "" and not text.endswith("\n")

    def has(self, key):
        """Whether it was measured; what failed is tried again."""
        found = self.by_key.get(key_of(key))
        return found is not None and "error" not in found

    def add(self, record):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * self.torn() + json.dumps(record) + "\n")
        self.by_key[key_of(record)] = record
        told = {name: record[name] for name in ("error", "seconds", "videos_per_hour") if name in record}
        print(" ".join(str(record[name]) for name in KEY[1:] if record.get(name) is not None), "->",
              ", ".join(f"{name} {value if name == 'error' else round(value, 3)}" for name, value in told.items()),
              flush=True)

    def find(self, **wanted):
        return [record for record in self.by_key.values()
                if all(record.get(name) == value for name, value in wanted.items())]


class Deadline:
    """After so many minutes (None: never) nothing new begins."""

    def __init__(self, minutes):
        self.end = None if minutes is None else time.monotonic() + 60 * minutes

    def passed(self):
        return self.end is not None and time.monotonic() >= self.end
