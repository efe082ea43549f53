// What needs no server: ids, words, URLs, records as JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "queue/codec.hpp"
#include "queue/detail/scripts.hpp"
#include "queue/errors.hpp"
#include "queue/redis_url.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(Ids, JobIdsAreUniqueAndSafe) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = make_job_id();
    EXPECT_TRUE(is_job_id(id)) << id;
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
  for (const char* text :
       {"", "j", "j123", "j0123456789ab.", "J0123456789ab", "j0123456789abc", "x0123456789ab", "j../../../etc"}) {
    EXPECT_FALSE(is_job_id(text)) << text;
  }
}

TEST(Ids, TaskIdsOfAJobSortInWindowOrder) {
  EXPECT_EQ(task_id("j1", TaskKind::image), "j1.image");
  EXPECT_EQ(task_id("j1", TaskKind::window, 7), "j1.w0007");
  EXPECT_EQ(task_id("j1", TaskKind::stitch), "j1.stitch");
  EXPECT_LT(task_id("j1", TaskKind::window, 9), task_id("j1", TaskKind::window, 10));
  EXPECT_THROW(task_id("j1", TaskKind::window, 10000), std::invalid_argument);
  EXPECT_THROW(task_id("j1", TaskKind::window, -1), std::invalid_argument);
}

TEST(Words, GoBothWaysAndUnknownOnesAreNamed) {
  for (const char* word : {"submitted", "queued", "running", "paused", "held", "done", "failed", "cancelled"}) {
    EXPECT_EQ(to_string(job_state_from(word)), word);
  }
  for (const char* word : {"data", "crash", "hang", "memory", "device", "storage", "internal"}) {
    EXPECT_EQ(to_string(failure_class_from(word)), word);
  }
  try {
    keep_from("forever");
    FAIL();
  } catch (const CodecError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("\"forever\""), HasSubstr("final, reroll, all")));
  }
}

struct UrlCase {
  const char* text;
  const char* host;
  int port;
  const char* socket;
  const char* user;
  const char* password;
  int database;
  const char* redacted;
};

TEST(Url, AllForms) {
  const std::vector<UrlCase> cases = {
      {"redis://localhost", "localhost", 6379, "", "", "", 0, "redis://localhost:6379"},
      {"redis://10.0.0.7:7000/3", "10.0.0.7", 7000, "", "", "", 3, "redis://10.0.0.7:7000/3"},
      {"redis://:p%40ss@h:1", "h", 1, "", "", "p@ss", 0, "redis://:***@h:1"},
      {"redis://bob:a:b@h/", "h", 6379, "", "bob", "a:b", 0, "redis://bob:***@h:6379"},
      {"redis://[::1]:7000/1", "::1", 7000, "", "", "", 1, "redis://[::1]:7000/1"},
      {"unix:///run/redis.sock", "", 6379, "/run/redis.sock", "", "", 0, "unix:///run/redis.sock"},
      {"unix:///a%20b?db=2&password=x%26y", "", 6379, "/a b", "", "x&y", 2, "unix:///a b?db=2"},
  };
  for (const UrlCase& c : cases) {
    const RedisUrl url = RedisUrl::parse(c.text);
    EXPECT_EQ(url.host, c.host) << c.text;
    EXPECT_EQ(url.port, c.port) << c.text;
    EXPECT_EQ(url.socket_path, c.socket) << c.text;
    EXPECT_EQ(url.user, c.user) << c.text;
    EXPECT_EQ(url.password, c.password) << c.text;
    EXPECT_EQ(url.database, c.database) << c.text;
    EXPECT_EQ(url.redacted(), c.redacted) << c.text;
  }
}

TEST(Url, BadOnesAreRefusedWithoutShowingAPassword) {
  for (const char* text :
       {"", "localhost", "http://h", "redis://", "redis://:secret@", "redis://h:0", "redis://h:70000", "redis://h:12x",
        "redis://h/x", "redis://secret@h", "redis://:sec%zzret@h", "redis://[::1", "redis://[::1]x", "unix://relative",
        "unix:///s?secret=1&x", "unix:///s?db=-1", "redis://h:"}) {
    if (std::string(text) == "redis://h:") {
      EXPECT_EQ(RedisUrl::parse(text).port, 6379);
      continue;
    }
    try {
      RedisUrl::parse(text);
      ADD_FAILURE() << text;
    } catch (const UrlError& error) {
      EXPECT_THAT(error.what(), testing::Not(HasSubstr(":secret"))) << text;
    }
  }
}

TEST(Url, TlsIsRefusedByABuildWithoutIt) {
  if (tls_supported()) {
    EXPECT_TRUE(RedisUrl::parse("rediss://h").tls);
    return;
  }
  try {
    RedisUrl::parse("rediss://:secret@h:1");
    FAIL();
  } catch (const UrlError& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(HasSubstr("TLS"), HasSubstr("rediss://:***@h:1"), HasSubstr("hiredis_ssl")));
  }
}

JobSpec full_spec() {
  JobSpec spec;
  spec.prompt = "\xE6\xB5\xB7 \"q\" \\ \n \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80";
  spec.image = ImageInput{std::string(64, 'a'), "png", "photo.png"};
  spec.image_fit = ImageFit::pad;
  spec.frames = 300;
  spec.width = 960;
  spec.height = 544;
  spec.seed = 0xFFFFFFFFFFFFFFFFull;
  spec.variant_index = 2;
  spec.variant_count = 4;
  spec.steps = 4;
  spec.shift = 5.0;
  spec.guidance = 0.1;
  spec.window_frames = 121;
  spec.overlap_frames = 5;
  spec.bundle = "magic";
  spec.bundle_hash = "abc";
  spec.dtype = "bf16";
  spec.name = "n";
  spec.project = "p";
  spec.tags = {"a", "b c"};
  spec.priority = -7;
  spec.after = "j000000000000";
  spec.request_id = "r";
  spec.output = "{project}/{name}.mp4";
  spec.overwrite = true;
  spec.keep = Keep::all;
  spec.take = 3;
  spec.parent = "j111111111111";
  spec.family = "j222222222222";
  spec.from_window = 3;
  return spec;
}

TEST(Codec, RecordsSurviveARoundTrip) {
  const JobSpec spec = full_spec();
  EXPECT_EQ(to_json(decode_job_spec(encode(spec))), to_json(spec));
  EXPECT_EQ(decode_job_spec(encode(spec)).seed, spec.seed);
  JobSpec seconds = make_spec();
  seconds.seconds = 12.5;
  EXPECT_EQ(decode_job_spec(encode(seconds)).seconds, 12.5);
  EXPECT_FALSE(decode_job_spec(encode(seconds)).frames.has_value());
  for (const TaskSpec& task : make_plan("j1", spec, 2, true).tasks) {
    EXPECT_EQ(to_json(decode_task_spec(encode(task))), to_json(task)) << task.id;
  }
  BundleLimits limits;
  limits.name = "tiny";
  limits.hash = "h";
  limits.overlap_frames = {1, 5};
  limits.conditions = {"first", "prefix"};
  limits.frame_rate_numerator = 24000;
  limits.frame_rate_denominator = 1001;
  limits.prompt_limits = {{true, "text_encoder", "tokenizer", "{}", 0, 64},
                          {false, "image_encoder", "tokenizer", "a {}", 3, 256}};
  EXPECT_EQ(decode_bundle_limits(encode(limits)).prompt_limits, limits.prompt_limits);
  EXPECT_EQ(to_json(decode_bundle_limits(encode(limits))), to_json(limits));
  const Artifact artifact = make_artifact("x");
  EXPECT_EQ(to_json(decode_artifact(encode(artifact))), to_json(artifact));
}

TEST(Codec, EveryMissingOrWrongFieldIsNamedAndNothingElseIsThrown) {
  const json documents[] = {to_json(full_spec()), to_json(make_plan("j1", full_spec(), 2).tasks[1]),
                            to_json(make_plan("j1", full_spec(), 2).tasks[2])};
  const auto decode = [](const json& document, bool task) {
    if (task)
      decode_task_spec(document.dump());
    else
      decode_job_spec(document.dump());
  };
  int refused = 0;
  for (const json& document : documents) {
    const bool task = document.contains("kind");
    for (const auto& [name, value] : document.items()) {
      for (const json& wrong :
           {json(), json("\x01"), json(-1.5), json::array({1, json::object()}), json(true), json(1e300)}) {
        json changed = document;
        changed[name] = wrong;
        try {
          decode(changed, task);
        } catch (const CodecError& error) {
          ++refused;
          EXPECT_FALSE(std::string(error.what()).empty());
        }
      }
      json without = document;
      without.erase(name);
      try {
        decode(without, task);
      } catch (const CodecError& error) {
        EXPECT_THAT(error.what(), HasSubstr(name));
      }
    }
  }
  EXPECT_GT(refused, 150);
}

TEST(Codec, UnknownSchemasAndTextThatIsNotJsonAreTypedErrors) {
  json newer = to_json(make_spec());
  newer["schema"] = 2;
  try {
    decode_job_spec(newer.dump());
    FAIL();
  } catch (const SchemaError& error) {
    EXPECT_EQ(error.found(), 2);
    EXPECT_EQ(error.known(), kSchema);
  }
  for (const char* text : {"", "{", "[]", "null", "\xff\xfe", "{\"schema\":1}", "{\"schema\":\"1\"}",
                           "{\"schema\":1.5}", "{\"schema\":1e999}"}) {
    EXPECT_THROW(decode_job_spec(text), CodecError) << text;
  }
  EXPECT_THROW(decode_job_spec(std::string(100000, '[')), CodecError);
}

TEST(KeyNames, AreTheSameInLuaAndCpp) {
  TestFarm farm;
  const Keys& k = farm.keys();
  const std::string script =
      detail::find_script("prelude").text +
      "return {KEY.inbox, KEY.sequence, KEY.jobs, KEY.finished, KEY.delayed, KEY.ready_stitch, KEY.leases, "
      "KEY.claims, KEY.claim_sequence, KEY.clock_offset, KEY.groups, KEY.bundles, KEY.events, KEY.dead, KEY.disk, "
      "KEY.reserved, "
      "KEY.removing, KEY.farm_pause, KEY.notices, notice_key('x'), KEY.stitchers, "
      "inbox_key('x'), "
      "rejected_key('x'), request_key('x'), job_key('x'), job_tasks_key('x'), job_after_key('x'), "
      "job_blocklist_key('x'), job_crashed_key('x'), takes_key('x'), used_take_key('x'), task_key('x'), "
      "group_key('x'), stitcher_key('x'), "
      "bundle_key('x'), "
      "ready_key('window', 'b', ''), "
      "ready_key('image', 'b', 'f'), ready_key('stitch', '', 'f')}";
  EXPECT_EQ(farm.raw({"EVAL", script, "1", k.leases(), k.prefix(), "10"}),
            (std::vector<std::string>{k.inbox(),
                                      k.sequence(),
                                      k.jobs(),
                                      k.finished_jobs(),
                                      k.delayed(),
                                      k.ready_stitch(),
                                      k.leases(),
                                      k.claims(),
                                      k.claim_sequence(),
                                      k.clock_offset(),
                                      k.groups(),
                                      k.bundles(),
                                      k.events(),
                                      k.dead_letters(),
                                      k.disk(),
                                      k.reserved(),
                                      k.removing(),
                                      k.farm_pause(),
                                      k.notices(),
                                      k.notice("x"),
                                      k.stitchers(),
                                      k.inbox_entry("x"),
                                      k.rejected("x"),
                                      k.request("x"),
                                      k.job("x"),
                                      k.job_tasks("x"),
                                      k.job_after("x"),
                                      k.job_blocklist("x"),
                                      k.job_crashed("x"),
                                      k.takes("x"),
                                      k.used_take("x"),
                                      k.task("x"),
                                      k.group("x"),
                                      k.stitcher("x"),
                                      k.bundle("x"),
                                      k.ready("window", "b"),
                                      k.ready("image", "b", "f"),
                                      k.ready_stitch()}));
  EXPECT_THROW(Keys("a{b}"), std::invalid_argument);
  EXPECT_THROW(Keys(""), std::invalid_argument);
}

}  // namespace
}  // namespace reelfarm::queue::test
