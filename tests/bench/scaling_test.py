"""The dry run of bench/scaling: every step measures, is kept, is not measured again, and comes out in the tables."""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import shapes
import torch
from diffusers import AutoencoderKLHunyuanVideo

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
DEMO = SOURCE / "bundles/demo"
PROGRAMS = sys.argv.pop()


def header(file):
    with file.open("rb") as stream:
        size = struct.unpack("<Q", stream.read(8))[0]
        found = json.loads(stream.read(size))
    return {name: tuple(tensor["shape"]) for name, tensor in found.items() if name != "__metadata__"}


class Shapes(unittest.TestCase):
    def test_are_those_of_the_demo_bundle(self):
        for part, (tensors, file) in shapes.PARTS.items():
            config = json.loads((DEMO / part / "config.json").read_text())
            self.assertEqual(dict(tensors(config)), header(DEMO / part / file), part)

    def test_are_those_of_the_published_vae_which_has_more_kinds(self):
        with torch.device("meta"):
            vae = AutoencoderKLHunyuanVideo()
        self.assertEqual(dict(shapes.hunyuan_vae(vae.config)),
                         {name: tuple(tensor.shape) for name, tensor in vae.state_dict().items()})


class Scaling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = self.folder / "results.jsonl"

    def scaling(self, *words):
        return subprocess.run([SOURCE / "bench/scaling", "--results", self.results, *words], capture_output=True, text=True)

    def dry_run(self, *words):
        return self.scaling("--small", "--programs", PROGRAMS, "--weights", self.folder / "bundle", "--scratch", self.folder,
                            "--python", sys.executable, "--repeats", "1", *words)

    def records(self):
        return [json.loads(line) for line in self.results.read_text().splitlines()] if self.results.exists() else []

    def test_measures_each_thing_once(self):
        done = self.dry_run()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        records = self.records()
        self.assertEqual([record for record in records if "error" in record], [])
        measured = {(record["what"], record["ranks"], record.get("mesh") or record.get("plan"), record.get("groups")) for record in records}
        self.assertEqual(measured, {("forward", 1, "alone", None), ("forward", 2, "alone", None), ("forward", 2, "2x1", None),
                                    ("forward", 2, "1x2", None), ("decode", 1, "diffusers", None), ("decode", 2, "diffusers", None),
                                    ("decode", 1, "medium", None), ("decode", 2, "medium", None),
                                    ("clip", 1, None, None), ("clip", 2, None, None),
                                    ("video", 1, None, 1), ("video", 2, None, 1),
                                    ("farm", 1, None, 2), ("farm", 2, None, 1)})
        self.assertEqual(len(records), len(measured))
        self.assertTrue(all(record["seconds"] > 0 for record in records))
        for farm in (record for record in records if record["what"] == "farm"):
            self.assertTrue(farm["whole"])
            self.assertEqual((farm["videos"], farm["windows"], farm["report"]["frames"]), (3, 3 * 2, 3 * 17))
            self.assertAlmostEqual(farm["videos_per_hour"], 3600 * 3 / farm["seconds"])
        for video in (record for record in records if record["what"] == "video"):
            self.assertTrue(video["whole"])
            self.assertEqual((video["videos"], video["report"]["frames"]), (1, 17))
        exchanged = {exchange["operation"] for record in records for exchange in record.get("exchanges", ())}
        self.assertLessEqual({"all_to_all", "ring"}, exchanged)

        with self.results.open("a") as file:
            file.write('{"device": "torn')
        again = self.dry_run()
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("is no JSON", again.stderr)
        self.assertNotIn("->", again.stdout)

        table = self.scaling("--table").stdout
        for title in ("One forward", "One decode", "A clip", "Times as fast as one", "One video by one group", "Farm"):
            self.assertIn(f"## {title}", table)
        self.assertRegex(table, "3 videos of 17 frames on 2 ranks, fp32, tiles diffusers: --groups . --ranks . makes most")

    def test_of_a_queue_that_is_cut_off_whole_windows_count(self):
        words = ("--what", "farm", "--ranks", "1", "--jobs", "200", "--job-frames", "33")
        cut = self.dry_run(*words, "--farm-minutes", "0.05")
        self.assertEqual(cut.returncode, 0, cut.stdout + cut.stderr)
        farm, = self.records()
        self.assertFalse(farm["whole"])
        self.assertLess(farm["videos"], 200)
        self.assertGreater(farm["windows"], 0)
        self.assertAlmostEqual(farm["videos_per_hour"], 3600 * farm["windows"] / 4 / farm["seconds"])

    def test_begins_nothing_when_the_time_is_over(self):
        self.assertEqual(self.dry_run("--minutes", "0").returncode, 0)
        self.assertEqual(self.records(), [])

    def test_what_fails_is_said_and_tried_again(self):
        words = ("--what", "clip", "--ranks", "1")
        for attempt in (1, 2):
            failed = self.dry_run(*words, "--size", "150x96")
            self.assertEqual(failed.returncode, 1, failed.stdout)
            self.assertEqual(len(self.records()), attempt)
            self.assertIn("expected multiples of 8", self.records()[-1]["error"])
            self.assertIn("failed: clip", failed.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
