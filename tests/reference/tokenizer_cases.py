"""Tokenizer files from the real vocabularies, strings of every kind, and the ids that transformers gives for them.

Writes OUTPUT/NAME/ (a tokenizer folder) and OUTPUT/NAME.json (cases: text, options, ids) for
  llama3         Llama 3's vocabulary as tokenizer.json, with the special tokens of llava-llama-3-8b
  clip_json      CLIP's vocabulary as tokenizer.json
  clip_files     the same as vocab.json and merges.txt
  captions       a small byte-level BPE trained here, with added tokens of every kind
  fallback       a small BPE with byte fallback, an unknown token and a subword prefix
The vocabularies come out of the packages llama-models and open_clip_torch and are never committed.
"""

import argparse
import gzip
import importlib.util
import json
import pathlib
import random
import unicodedata

from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)
from transformers import CLIPTokenizer, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter, bytes_to_unicode

SEED = 20261123


def package_file(package, *parts):
    spec = importlib.util.find_spec(package)
    return pathlib.Path(spec.submodule_search_locations[0]).joinpath(*parts)


# ---- strings -------------------------------------------------------------------------------------------------------

WORDS = """a the red crimson star drifting slowly over sea meadow photograph cinematic 35mm f/1.4 don't we've I'll they're
it's CAN'T You'D rock'n'roll naïve façade Straße Ångström coöperate İstanbul ŁÓDŹ ΣΊΣΥΦΟΣ Привет мир Ёлка שלום עוֹלָם مرحبا
بِسْمِ हिन्दी क्षत्रिय বাংলা ਪੰਜਾਬੀ தமிழ் తెలుగు ಕನ್ನಡ മലയാളം ไทยภาษา ພາສາລາວ မြန်မာ ភាសាខ្មែរ ქართული ᲥᲐᲠᲗᲣᲚᲘ Հայերեն አማርኛ
ᏣᎳᎩ ꮳꮃꭹ ᐃᓄᒃᑎᑐᑦ 日本語 ひらがな カタカナ ﾊﾝｶｸ 汉字漢字 한국어 한국어 Tiếng Việt ﬁﬂ ǅ ẞ ı ſ K Å Ω 𝒜𝓑 𐐀𐐨 𞤀𞤢 𝟘𝟙 ①②③ Ⅷ ½ 1234567890 12,345.678 1e-9
0xDEADBEEF 2026-11-23 #hashtag @user user@example.com https://example.org/a?b=c&d=%20 C++20 a_b_c snake_case CamelCase
“quoted” ‘single’ «guillemets» „low“ …— – - ' " ` ´ \\ / | ~ ^ © ® ™ € £ ¥ ₿ → ⇒ ∑ ∫ √ ≈""".split()

EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "👨🏿‍💻", "❤️", "☺︎", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🫠", "🧑‍🚀"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\r\n", "\r", " \n ", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085",
          "\u200b", "\u180e", "\ufeff", "\x0b", "\x0c", "\x1c", "\u1680", "\u202f", "\u205f"]
SPECIAL = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<image>", "<pad>", "<|end_of_text|>",
           "<|startoftext|>", "<|endoftext|>", "<|EOT_ID|>", "<|STARTOFTEXT|>", "<|reserved_special_token_7|>", "<image", "image>",
           "<|", "|>", "<|eot_id", "[UNK]", "<unk>", "<0x41>", "</w>", "Ġ", "Ċ", "##"]


def assigned_code_points():
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000 or unicodedata.category(chr(code)) in ("Cn", "Co"):
            continue
        yield code


# Characters of Unicode 15 and 16, which this Python may not know, and places that are still empty.
YOUNG = [0x897, 0xCF3, 0xECE, *range(0x1C89, 0x1C8B), *range(0xA7CB, 0xA7DD), *range(0x105C0, 0x105F4), *range(0x10D40, 0x10D90),
         *range(0x11241, 0x11242), *range(0x11380, 0x113E3), *range(0x11BC0, 0x11BFA), *range(0x11F00, 0x11F5B), *range(0x13440, 0x13456),
         *range(0x16100, 0x1613A), *range(0x16D40, 0x16D7A), *range(0x1CCD6, 0x1CCFA), *range(0x1D2C0, 0x1D2D4), *range(0x1E030, 0x1E090),
         *range(0x1E4D0, 0x1E4FA), *range(0x1E5D0, 0x1E5FB), *range(0x2EBF0, 0x2EE5E, 37), *range(0x31350, 0x323B0, 101),
         0x378, 0x530, 0x2FE0, 0x1F7DF, 0xE0080, 0x3FFFE]


def every_code_point(generator):
    """Every assigned character, ideographs and Hangul thinned out, in one of several surroundings."""
    texts, current = [], []
    for code in [*assigned_code_points(), *YOUNG]:
        dense = 0x3400 <= code < 0xA000 or 0xAC00 <= code < 0xD7A4 or code >= 0x17000
        if dense and code % 17 and not 0x1D400 <= code < 0x20000:
            continue
        character = chr(code)
        current.append(generator.choice([character, "a" + character + "b", " " + character, character + "'s ", character * 2 + "1"]))
        if len(current) == 12:
            texts.append("".join(current))
            current = []
    return texts + ["".join(current)]


def control_and_edge():
    texts = ["", " ", "\0", "a\0b", "\x01\x02\x1f\x7f", "\n" * 50, " " * 200, "\t" * 33, "a" + " " * 99 + "b", " \n" * 40, "\r\n" * 20,
             "'" * 30, '"' * 31, "''s''", "'S 'T 'RE 'Ve 'M 'lL 'D", "'ſ 'ſt x'ſy", "1" * 200, "1 2 3 12 123 1234 12345", "٣٤٥ ۱۲۳ १२३ ௧௨௩ 一二三",
             "!" * 100, "?!?!...---___***", "\ufeffBOM", "\ufffd\ufffe\uffff", "\U0010ffff", "\ue000\uf8ff", "e\u0301" * 30, "\u0301\u0301\u0301",
             "q\u0323\u0307 q\u0307\u0323", "\u1100\u1161\u11a8 \uac00\u11a8", "\u0958 \u2126 \u212b \ufb1d", "Z" + "\u0334\u0321\u0345" * 20,
             "İ I ı i İİ", "ΑΣ ΑΣΑ ΣΑΣ", "\u200d\u200c\u200e\u202e", "a\u00adb", "\u17b4\u17b5", "\U000e0001\U000e0020"]
    texts += [a + s + b for a in ("x", "1", "!", "") for s in SPACES for b in ("y", "2", "?", "")]
    return texts


def special_inside(generator):
    texts = []
    for token in SPECIAL:
        texts += [token, token * 2, f"a{token}b", f" {token} ", f"a  {token}  b", f"\n{token}\n\n", token[:-1], token.upper()]
    for _ in range(400):
        texts.append("".join(generator.choice(SPECIAL + SPACES + WORDS) for _ in range(generator.randint(1, 9))))
    return texts


def sentences(generator, count):
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(generator.randint(1, 24)):
            parts.append(generator.choice(WORDS + EMOJI) if generator.random() < 0.9 else generator.choice(EMOJI) * 2)
            parts.append(" " if generator.random() < 0.8 else generator.choice(SPACES + [",", ".", "!", ""]))
        texts.append("".join(parts))
    return texts


def random_soup(generator, count):
    pool = [*assigned_code_points(), *YOUNG]
    marks = [code for code in pool if unicodedata.category(chr(code))[0] == "M" or code in (0x897, 0xECE, 0x11F41, 0x1E4EF)]
    texts = []
    for _ in range(count):
        text = []
        for _ in range(generator.randint(1, 40)):
            text.append(chr(generator.choice(pool)))
            while generator.random() < 0.3:
                text.append(chr(generator.choice(marks)))
        texts.append("".join(text))
    return texts


def long_prompts(generator):
    unbroken = "".join(generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5000))
    return [" ".join(generator.choice(WORDS) for _ in range(1200))[:5000], unbroken, "ab" * 2500, "a" * 5000, "日本" * 2500, "👩‍👩‍👧‍👦" * 700,
            "e\u0301" * 2500, " " * 5000, "\n" * 5000, "9" * 5000, "." * 5000, "<image>" * 700, "'s" * 2500]


def all_texts():
    generator = random.Random(SEED)
    texts = control_and_edge() + special_inside(generator) + sentences(generator, 4800) + random_soup(generator, 1500)
    texts += every_code_point(generator) + long_prompts(generator)
    return list(dict.fromkeys(texts))


# ---- tokenizers ----------------------------------------------------------------------------------------------------


def llama3(folder):
    special = ["<|begin_of_text|>", "<|end_of_text|>"] + [f"<|reserved_special_token_{i}|>" for i in range(4)]
    special += ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>"]
    special += [f"<|reserved_special_token_{i}|>" for i in range(5, 251)] + ["<pad>", "<image>"]
    backend = TikTokenConverter(str(package_file("llama_models", "llama3", "tokenizer.model")), extra_special_tokens=special).converted()
    bos = ("<|begin_of_text|>", backend.token_to_id("<|begin_of_text|>"))
    backend.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=False),
         processors.TemplateProcessing(single=f"{bos[0]} $A", pair=f"{bos[0]} $A {bos[0]} $B", special_tokens=[bos])])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos[0], eos_token="<|end_of_text|>", pad_token="<pad>", padding_side="right")
    tokenizer.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def clip_files(folder):
    lines = gzip.open(package_file("open_clip", "bpe_simple_vocab_16e6.txt.gz")).read().decode("utf-8").split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    letters = list(bytes_to_unicode().values())
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


def clip_json(folder):
    tokenizer = clip_files(folder)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").unlink()
    return CLIPTokenizer.from_pretrained(folder)


def captions(folder):
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    backend.train_from_iterator(sentences(random.Random(1), 500), trainer)
    backend.add_tokens([AddedToken("RED", normalized=True, single_word=True), AddedToken("<image>", lstrip=True, rstrip=True, normalized=False),
                        AddedToken("Ｓtar", normalized=True), AddedToken("don't", lstrip=True), AddedToken("image>", rstrip=True)])
    backend.post_processor = processors.BertProcessing(("</s>", backend.token_to_id("</s>")), ("<s>", backend.token_to_id("<s>")))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
                                        padding_side="left", truncation_side="left")
    tokenizer.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def fallback(folder):
    vocabulary = ["<unk>", "<s>"] + [f"<0x{byte:02X}>" for byte in range(0x80)]
    vocabulary += ["t", "##h", "##e", "th", "the", "h", "e", "##t", "##th", "s", "##s", "hes", "he", "##a", "a", "##es"]
    merges = [("t", "##h"), ("th", "##e"), ("h", "##e"), ("he", "##s"), ("##t", "##h"), ("##e", "##s")]
    backend = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(vocabulary)}, merges=merges, unk_token="<unk>", fuse_unk=True,
                                   byte_fallback=True, continuing_subword_prefix="##"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("the "), normalizers.Replace("  ", " "), normalizers.Replace(Regex(r"\d+"), "9"), normalizers.NFD()])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split("z", "merged_with_next"), pre_tokenizers.Split(Regex("[aeiou]"), "merged_with_previous"),
         pre_tokenizers.Split(Regex(r"\w"), "contiguous", invert=True), pre_tokenizers.WhitespaceSplit()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


# ---- cases ---------------------------------------------------------------------------------------------------------


def cases(tokenizer, texts, lengths, decode):
    """The ids of every text; for every 16th also truncated and padded, without special tokens, and decoded."""
    result = []
    for begin in range(0, len(texts), 500):
        batch = texts[begin : begin + 500]
        for text, ids in zip(batch, tokenizer(batch).input_ids):
            result.append({"text": text, "ids": ids})
    for text in texts[::16]:
        result.append({"text": text, "add_special_tokens": False, "ids": tokenizer(text, add_special_tokens=False).input_ids})
        for length in lengths:
            padded = tokenizer.pad_token is not None
            output = tokenizer(text, truncation=True, max_length=length, padding="max_length" if padded else False)
            result.append({"text": text, "max_length": length, "pad": padded, "ids": output.input_ids, "mask": output.attention_mask})
    if decode:
        for case in result[: len(texts) : 7]:
            case["decoded"] = tokenizer.decode(case["ids"], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    texts = all_texts()
    for make, lengths, few, decode in ((llama3, (8, 351), False, True), (clip_json, (2, 77), False, True), (clip_files, (77,), False, True),
                                       (captions, (3, 40), False, True), (fallback, (5,), True, False)):
        tokenizer = make(output / make.__name__)
        chosen = texts[::8] if few else texts
        (output / f"{make.__name__}.json").write_text(
            json.dumps({"transformers_tokens": len(tokenizer), "cases": cases(tokenizer, chosen, lengths, decode)}), encoding="utf-8")
        print(make.__name__, len(chosen), "texts")


if __name__ == "__main__":
    main()
