"""Tests of the demo model's tools against diffusers' pipelines and against the world's own definition.

    python -m unittest tools/demo_model/test_demo_model.py
"""

import dataclasses
import pathlib
import random
import sys
import tempfile
import types
import unittest

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import captions  # noqa: E402
import judge  # noqa: E402
import networks  # noqa: E402
import text  # noqa: E402
import training  # noqa: E402
import world  # noqa: E402


class World(unittest.TestCase):
    def test_every_combination_is_trained_on_or_held_out(self):
        trained, held = ({tuple(r) for r in world.combinations(h)} for h in (False, True))
        self.assertFalse(trained & held)
        self.assertAlmostEqual(len(held) / (len(trained) + len(held)), 1 / 8, delta=0.02)

    def test_a_clip_continues_from_its_own_state(self):
        specs = world.sample(np.random.default_rng(3), 16)
        x, y, angle = world.path(specs, torch.tensor([2.0]))
        later = world.Specs(**{**specs.__dict__, "x": x[..., 0], "y": y[..., 0], "angle": angle[..., 0]})
        for a, b in zip(world.path(specs, torch.tensor([3.5])), world.path(later, torch.tensor([1.5]))):
            self.assertLess((torch.remainder(a - b + 1, 2 * 80) - 1).abs().max(), 1e-3)

    def test_displaced_objects_are_found(self):
        specs = world.sample(np.random.default_rng(6), 4, second=0.5, inside=1.0)
        rng = np.random.default_rng(1)

        def shift(most):
            return torch.from_numpy(rng.uniform(-most, most, specs.x.shape).astype(np.float32))

        moved = dataclasses.replace(specs, x=specs.x + shift(2), y=specs.y + shift(2), angle=specs.angle + shift(0.2))
        seconds = torch.tensor([0.0, 1 / 6])
        found = world.fitted(specs, (world.render(moved, seconds) * 255).round() / 255, seconds)
        for name, error in (("x", 0.15), ("y", 0.15), ("angle", 0.05)):
            off = (getattr(found, name) - getattr(moved, name)).abs()
            turns = ~torch.isin(specs.shape, torch.tensor([0, 4])) | (name != "angle")  # a ball's angle cannot be seen
            self.assertLess(off[specs.present & turns].max(), error, name)
        self.assertTrue(torch.equal(found.x[~specs.present], specs.x[~specs.present]))

    def test_moving_right_moves_24_pixels_a_second_and_leaves_the_background_alone(self):
        specs = world.sample(np.random.default_rng(4), 100, objects=1)
        specs = specs[specs.motion[:, 0] == world.RIGHT][:2]
        x, y, _ = world.path(specs, torch.tensor([0.0, 1.0]))
        self.assertTrue(torch.allclose(torch.remainder(x[..., 1] - x[..., 0], world.WIDTH), torch.full((2, 1), 24.0), atol=1e-3))
        self.assertTrue(torch.equal(y[..., 0], y[..., 1]))
        clip = world.render(specs, world.times(25)[::24])
        free = (clip - world.backdrop(specs)[:, :, None]).abs().amax((1, 2)) < 1e-6
        self.assertGreater(free.float().mean(), 0.7)

    def test_the_judge_is_right_on_ideal_clips(self):
        specs = world.sample(np.random.default_rng(8), 6, held_out=True)
        for i in range(len(specs)):
            frames = world.to_uint8(world.render(specs[i : i + 1], world.times()))[0].numpy()
            truth = dict(shape=int(specs.shape[i, 0]), colour=int(specs.colour[i, 0]), motion=int(specs.motion[i, 0]), background=int(specs.background[i]))
            v = judge.judge(frames, **truth, other=int(specs.colour[i, 1]) if specs.present[i, 1] else None)
            self.assertTrue(v.colour and v.shape and v.motion and v.background, (i, truth, v.found))

    def test_the_judge_refuses_what_the_caption_does_not_say(self):
        specs = world.sample(np.random.default_rng(9), 1, second=0.0)
        frames = world.to_uint8(world.render(specs, world.times()))[0].numpy()
        truth = dict(shape=int(specs.shape[0, 0]), colour=int(specs.colour[0, 0]), motion=int(specs.motion[0, 0]), background=int(specs.background[0]))
        wrong = {k: (v + 1) % n for (k, v), n in zip(truth.items(), (6, 8, 8, 5))}
        v = judge.judge(frames, **wrong)
        self.assertFalse(v.colour or v.shape or v.motion or v.background)


class Chains(unittest.TestCase):
    def test_the_chain_judge_sees_a_jump_anywhere_in_the_shared_frames(self):
        import evaluate

        specs = world.sample(np.random.default_rng(4), 100, second=0.0)
        specs = specs[specs.motion[:, 0] == world.RIGHT][:1]
        overlap, frames = 5, 2 * world.WINDOW - 5
        ideal = world.to_uint8(world.render(specs, world.times(frames)))[0].numpy()
        self.assertLess(evaluate.chain_scores(ideal, specs, overlap)["seam"], 1.2)
        for at in range(world.WINDOW - overlap, world.WINDOW + 1):  # from the first shared frame to the first one behind
            broken = ideal.copy()
            broken[at:] = np.minimum(broken[at:], 253) + 2  # brighter by two levels from here on
            self.assertGreater(evaluate.chain_scores(broken, specs, overlap)["seam"], 1.6, at)

    def test_shared_frames_change_over_evenly(self):
        import evaluate

        earlier, later = (np.full((7, 48, 64, 3), level, np.uint8) for level in (100, 101))
        shares = (evaluate.joined(earlier, later) == 101).mean((1, 2, 3))
        np.testing.assert_allclose(shares, np.arange(1, 8) / 8)
        self.assertTrue((evaluate.joined(earlier, earlier) == earlier).all())


class Text(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        text.train_tokenizers(pathlib.Path(cls.folder.name))
        cls.prompts = text.Prompts(pathlib.Path(cls.folder.name))
        torch.manual_seed(0)
        cls.llava, cls.clip = networks.llava(cls.prompts).eval(), networks.clip(cls.prompts).eval()
        cls.captions = ["A red star moving left over the sea.", "over the lawn, a violet box goes around in the clockwise sense"]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_eight_ways_to_say_each_part(self):
        for table in (captions.COLOUR_WORDS, captions.SHAPE_WORDS, captions.BACKGROUND_WORDS, captions.SCENE_WORDS, captions.DIRECTION_WORDS):
            for name, words in table.items():
                self.assertGreaterEqual(len(set(words)), 8, name)
        self.assertGreater(len({captions.caption("star", "red", "left", "sea", random.Random(i)) for i in range(100)}), 90)

    def test_i2v_text_is_what_the_diffusers_pipeline_computes(self):
        from diffusers import FlowMatchEulerDiscreteScheduler, HunyuanVideoImageToVideoPipeline
        from PIL import Image
        from transformers import CLIPImageProcessor

        size = text.IMAGE_SIZE
        pipeline = HunyuanVideoImageToVideoPipeline(
            self.llava, self.prompts.llama, None, None, FlowMatchEulerDiscreteScheduler(shift=5.0), self.clip, self.prompts.clip,
            CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size}))
        start = text.IMAGE_START
        template = dict(template=text.I2V_TEMPLATE, crop_start=self.prompts.i2v_crop, image_emb_start=start, image_emb_end=start + text.IMAGE_TOKENS, image_emb_len=text.IMAGE_TOKENS)
        frame = world.render(world.sample(np.random.default_rng(1), 1), world.times(1))[:, :, 0]
        image = Image.fromarray((frame[0].permute(1, 2, 0) * 255).round().byte().numpy())
        for caption in self.captions:
            with torch.no_grad():
                hidden, vector, mask = pipeline.encode_prompt(image, caption, prompt_template=template, max_sequence_length=text.TEXT_TOKENS, image_embed_interleave=text.INTERLEAVE)
                rows, _ = self.prompts.rows([caption])
                mine, mine_mask = networks.i2v_text(self.llava, self.prompts, rows.i2v, rows.length, networks.vision_pixels((frame * 255).round() / 255))
                mine_vector = networks.pooled(self.clip, rows.clip)
            reference, got = hidden[0, mask[0].bool()], mine[0, mine_mask[0]]
            self.assertEqual(reference.shape, got.shape)
            self.assertLess((reference - got).norm() / reference.norm(), 2e-2)  # the image is resized in 8 bits there
            self.assertLess((reference[text.IMAGE_TOKENS // text.INTERLEAVE :] - got[text.IMAGE_TOKENS // text.INTERLEAVE :]).norm() / reference.norm(), 1e-2)
            self.assertLess((vector - mine_vector).norm() / vector.norm(), 1e-5)

    def test_t2i_text_is_what_the_diffusers_pipeline_computes(self):
        from diffusers import HunyuanVideoPipeline

        pipeline = HunyuanVideoPipeline(self.llava.model.language_model, self.prompts.llama, None, None, None, self.clip, self.prompts.clip)
        for caption in self.captions:
            with torch.no_grad():
                hidden, mask = pipeline._get_llama_prompt_embeds(caption, dict(template=text.T2I_TEMPLATE, crop_start=self.prompts.t2i_crop), max_sequence_length=text.TEXT_TOKENS)
                rows, _ = self.prompts.rows([caption])
                mine, mine_mask = networks.t2i_text(self.llava, self.prompts, rows.t2i, rows.length)
            reference = hidden[0, mask[0].bool()]
            self.assertLess((reference - mine[0, mine_mask[0]]).norm() / reference.norm(), 1e-5)

    def test_sampler_follows_the_scheduler(self):
        from diffusers import FlowMatchEulerDiscreteScheduler

        scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, 5)[:-1])
        np.testing.assert_allclose(scheduler.sigmas[:-1].numpy(), networks.SIGMAS, rtol=1e-6)
        np.testing.assert_allclose(networks.shifted(4), networks.SIGMAS, rtol=1e-6)


    def test_what_a_caption_says_is_read_from_places_that_saw_all_of_it(self):
        import train_text

        data = train_text.Captions(self.prompts, 40, 1)
        heads = train_text.Heads()
        with torch.no_grad():
            scores = heads({"llava": self.llava, "clip": self.clip}, self.prompts, data.rows, torch.arange(len(data.labels)))
            self.assertEqual([tuple(s.shape) for s in scores], [(len(data.labels), sum(train_text.CLASSES))] * len(heads.PLACES))
            self.assertTrue(torch.isfinite(train_text.loss(scores, data.labels)))
        alone = data.labels[:, 4] == 0
        self.assertTrue((data.labels[alone, 5:] == train_text.ABSENT).all() and (data.labels[~alone] >= 0).all())


class Training(unittest.TestCase):
    def test_muon_takes_the_matrices_of_the_blocks_and_makes_updates_of_adamws_size(self):
        model = networks.t2i()
        adamw, muon = training.optimizers(model, "cpu")
        inside = {id(p) for p in muon.param_groups[0]["params"]}
        names = {n for n, p in model.named_parameters() if id(p) in inside}
        self.assertIn("single_transformer_blocks.0.attn.to_q.weight", names)
        self.assertFalse({"x_embedder.proj.weight", "proj_out.weight", "single_transformer_blocks.0.norm.linear.weight"} & names)
        self.assertEqual(len(inside) + len(adamw.param_groups[0]["params"]), len(list(model.parameters())))
        weight = model.get_parameter("single_transformer_blocks.0.proj_mlp.weight")
        before = weight.detach().clone()
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        training.set_rate(muon, 1e-2)
        muon.step()
        self.assertAlmostEqual((weight - before).pow(2).mean().sqrt().item(), 0.2e-2, delta=0.05e-2)


    def test_a_seam_is_what_is_given_and_its_neighbours(self):
        import train_i2v

        mask = torch.zeros(2, 17, 31, 2, 2)
        mask[0, 16, :2] = 1  # a prefix of two latents
        mask[1, 16, 0] = mask[1, 16, -1] = 1  # the first and the last frame
        found = train_i2v.seams(mask)
        self.assertEqual(tuple(found.shape), (2, 1, 31, 1, 1))
        self.assertEqual([row.flatten().nonzero().flatten().tolist() for row in found], [[0, 1, 2], [0, 1, 29, 30]])

    def test_guidance_leads_away_from_the_empty_caption(self):
        import train_t2i

        caption = torch.tensor([1.0, 2.0, 0.0])  # the last one is empty
        images = types.SimpleNamespace(
            size=2, device="cpu", latents=torch.randn(2, 16, 2, 2), object=torch.zeros(2, 2, 2), caption=torch.tensor([0, 1]), specs=[None, None], texts=lambda at: (caption[at],))

        def says(scale):
            return lambda x, t, caption, return_dict: (scale * caption.view(-1, 1, 1, 1, 1) + 0 * x,)

        self.assertAlmostEqual(train_t2i.loss(says(2.5), images, 8, 0.0, 0.0, says(1.0), 2.5).item(), 0, places=6)
        self.assertGreater(train_t2i.loss(says(1.0), images, 8, 0.0, 0.0, says(1.0), 2.5).item(), 1)


class Vae(unittest.TestCase):
    def test_folding_the_latents_statistics_does_not_change_the_reconstruction(self):
        import train_vae

        torch.manual_seed(0)
        model = networks.vae().eval().requires_grad_(False)
        clip = world.render(world.sample(np.random.default_rng(1), 1), world.times(5))
        before = networks.decode(model, networks.encode(model, clip))
        train_vae.normalise(model, "cpu", 4)
        self.assertLess((networks.decode(model, networks.encode(model, clip)) - before).abs().max(), 1e-4)

    def test_rounds_are_mixed_by_their_share(self):
        import mix

        out = mix.mixed({"w": torch.zeros(3), "n": torch.tensor(1)}, {"w": torch.ones(3, dtype=torch.float16), "n": torch.tensor(2)}, 0.6)
        self.assertTrue(torch.allclose(out["w"], torch.full((3,), 0.6)))
        self.assertEqual(out["n"].item(), 2)

    def test_a_checkpoint_survives_its_parts(self):
        with tempfile.TemporaryDirectory() as folder:
            model = torch.nn.Linear(2048, 5000)
            parts = training.save(pathlib.Path(folder) / "x", {"model": model.state_dict()}, dtype=torch.float32)
            self.assertGreater(len(parts), 1)
            again = training.load(pathlib.Path(folder) / "x")["model"]
            self.assertTrue(torch.equal(again["weight"], model.weight))


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
