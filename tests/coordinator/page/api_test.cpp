// The live server against openapi.json: a farm with the real coordinator, and doubles of worker and stitcher.
#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <set>
#include <span>
#include <sstream>

#include "coordinator/page/page.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/video/png_writer.hpp"
#include "pipeline/weights/safetensors_writer.hpp"
#include "tests/cli/job_farm.hpp"
#include "tests/coordinator/http/raw_client.hpp"
#include "tests/coordinator/page/schema.hpp"

namespace reelfarm {
namespace {

using nlohmann::json;
using test::eventually;
using test::RawAnswer;
using testing::HasSubstr;

const std::string kJson = "Content-Type: application/json";

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Api : public test::JobFarm {
 protected:
  static void SetUpTestSuite() {
    start_farm({"--listen", "127.0.0.1:0"});
    const json farm = json::parse(read_all(data() / "farm.json"));
    address_ = http::parse_address(farm.at("page").get<std::string>().substr(std::string("http://").size()));
    api_ = json::parse(read_all(std::string(REELFARM_SOURCE_DIR) + "/coordinator/page/assets/openapi.json"));
  }

  /// Checks that the answer is one that the description has for this path and method, and returns its JSON.
  static json described(const RawAnswer& answer, const std::string& path, const std::string& method) {
    covered_.insert(method + " " + path);
    const json& responses = api_.at("paths").at(path).at(method).at("responses");
    const std::string code = std::to_string(answer.status);
    if (!responses.contains(code)) {
      ADD_FAILURE() << method << " " << path << " answered " << code << ": " << answer.body;
      return json();
    }
    const json& content = responses.at(code).at("content");
    const std::string type = answer.headers.at("content-type");
    const std::string plain = type.substr(0, type.find(';'));
    EXPECT_TRUE(content.contains(plain)) << path << " " << type;
    if (plain != "application/json") return json();
    const json body = json::parse(answer.body);
    const json& schema = content.at(plain).at("schema");
    EXPECT_EQ(test::schema_error(api_, schema, body), "") << method << " " << path << " " << answer.body;
    return body;
  }
  static json get(const std::string& path, const std::string& target, int status = 200) {
    const RawAnswer answer = test::ask(address_, target);
    EXPECT_EQ(answer.status, status) << target << " " << answer.body;
    return described(answer, path, "get");
  }
  static json post(const std::string& path, const std::string& target, const json& body, int status = 200) {
    const RawAnswer answer = test::post(address_, target, body.is_null() ? "" : body.dump(), {kJson});
    EXPECT_EQ(answer.status, status) << target << " " << answer.body;
    return described(answer, path, "post");
  }
  static std::string submit(json body) {
    const json answer = post("/api/jobs", "/api/jobs", body, 201);
    return answer.at("jobs").at(0).at("job");
  }
  static std::string done_job() {
    const std::string job = submit({{"prompt", "a kite"}, {"frames", 40}, {"name", "kite"}});
    EXPECT_TRUE(reaches(job, "done"));
    return job;
  }

  static inline http::Address address_;
  static inline json api_;
  static inline std::set<std::string> covered_;
};

TEST_F(Api, DescribesExactlyWhatIsServed) {
  // A page of its own: the routes are known without a farm.
  page::PageOptions options;
  options.data = queue::DataFolder(data());
  const page::Page page(options);
  std::set<std::string> served;
  for (const http::Route& route : page.router().routes()) {
    served.insert(std::string(to_string(route.method)) + " " + route.path);
    const json& paths = api_.at("paths");
    const char* method = route.method == http::Method::get ? "get" : "post";
    if (!paths.contains(route.path) || !paths.at(route.path).contains(method)) continue;
    const bool open = paths.at(route.path).at(method).contains("security");
    EXPECT_EQ(open, route.access == http::Access::open) << route.path;
  }
  std::set<std::string> described;
  for (const auto& [path, methods] : api_.at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      described.insert((method == "get" ? "GET " : "POST ") + path);
    }
  }
  EXPECT_EQ(served, described);
}

TEST_F(Api, ServesThePageAndWhatItNeeds) {
  for (const char* file : {"/", "/page.css", "/page.js", "/view.js", "/form.js", "/icon.svg"}) get(file, file);
  get("/healthz", "/healthz");
  EXPECT_EQ(get("/api/openapi.json", "/api/openapi.json"), api_);
  EXPECT_EQ(get("/api/session", "/api/session").at("allowed"), true);
  post("/api/session", "/api/session", {{"token", "x"}}, 401);
  post("/api/session/end", "/api/session/end", nullptr);
  const json groups = get("/api/groups", "/api/groups");
  EXPECT_EQ(groups.at("groups").size(), 1U);
  EXPECT_EQ(groups.at("stitchers").size(), 1U);
  EXPECT_EQ(get("/api/bundles", "/api/bundles").at("bundles").at(0).at("name"), "double");
}

TEST_F(Api, SubmitsAJobAndShowsItDone) {
  const std::string job = done_job();
  const json shown = get("/api/jobs/{job}", "/api/jobs/" + job);
  EXPECT_EQ(shown.at("windows").size(), 3U);
  EXPECT_EQ(shown.at("windows_done"), 3);
  EXPECT_EQ(shown.at("windows").at(0).at("has_frames"), true);
  const json list = get("/api/jobs", "/api/jobs?state=done&limit=500");
  EXPECT_TRUE(std::any_of(list.at("jobs").begin(), list.at("jobs").end(), [&](const json& one) {
    return one.at("job") == job && one.at("windows_done") == 3 && one.at("has_video") == true;
  }));
  get("/api/jobs", "/api/jobs?state=nonsense", 400);
  get("/api/jobs", "/api/jobs?limit=0", 400);
  get("/api/jobs", "/api/jobs?limit=501", 400);
}

TEST_F(Api, SendsTheVideoInRanges) {
  const std::string job = done_job();
  const std::string path = "/api/jobs/{job}/video";
  const std::string target = "/api/jobs/" + job + "/video";
  const std::string whole = read_all(data() / "videos" / (job + ".mp4"));
  const RawAnswer all = test::ask(address_, target);
  described(all, path, "get");
  EXPECT_EQ(all.body, whole);
  const RawAnswer part = test::ask(address_, target, {"Range: bytes=3-5"});
  described(part, path, "get");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, whole.substr(3, 3));
  described(test::ask(address_, target, {"Range: bytes=9999-"}), path, "get");
  const std::string slow = submit({{"prompt", "SLOW kite"}, {"frames", 40}});
  get(path, "/api/jobs/" + slow + "/video", 404);
  post("/api/jobs/{job}/cancel", "/api/jobs/" + slow + "/cancel", nullptr);
}

TEST_F(Api, RefusesWhatEnqueueRefuses) {
  const auto before = jobs_there();
  const auto refused = [&](const json& body) {
    return post("/api/jobs", "/api/jobs", body, 400).at("error").get<std::string>();
  };
  EXPECT_THAT(refused({{"frames", 40}}), HasSubstr("prompt is missing"));
  EXPECT_THAT(refused({{"prompt", ""}}), HasSubstr("prompt"));
  EXPECT_THAT(refused({{"prompt", "a\u0007kite"}}), HasSubstr("control"));
  EXPECT_THAT(refused({{"prompt", "x"}, {"fames", 3}}), HasSubstr("did you mean"));
  EXPECT_THAT(refused({{"prompt", "x"}, {"frames", -3}}), HasSubstr("frames"));
  EXPECT_THAT(refused({{"prompt", "x"}, {"name", std::string(1000, 'n')}}), HasSubstr("name"));
  EXPECT_THAT(refused({{"prompt", "x"}, {"bundle", "nobody's"}}), HasSubstr("bundle"));
  EXPECT_THAT(refused({{"prompt", "x"}, {"output", "../x.mp4"}}), HasSubstr("absolute"));
  for (const char* image : {"../../etc/passwd", "/etc/passwd", "", "zz"}) {
    EXPECT_THAT(refused({{"prompt", "x"}, {"image", image}}), HasSubstr("POST /api/inputs")) << image;
  }
  EXPECT_EQ(test::post(address_, "/api/jobs", "{", {kJson}).status, 400);
  EXPECT_EQ(test::post(address_, "/api/jobs", "[]", {kJson}).status, 400);
  EXPECT_EQ(test::post(address_, "/api/jobs", std::string(100000, '['), {kJson}).status, 400);
  EXPECT_EQ(test::post(address_, "/api/jobs", R"({"prompt":"x"})", {"Content-Type: text/plain"}).status, 415);
  EXPECT_EQ(test::post(address_, "/api/jobs", std::string(2 << 20, ' '), {kJson}).status, 413);
  EXPECT_EQ(jobs_there(), before);
}

TEST_F(Api, TakesAnImageFromAClientThatDoesNotSeeData) {
  video::Image picture(64, 48);
  picture.pixel(3, 4)[0] = 200;
  const auto file = line_->path("picture.png");
  video::write_png(picture, file);
  const std::string bytes = read_all(file);
  const std::string path = "/api/inputs";
  const json input = described(test::post(address_, path, bytes, {"Content-Type: image/png"}), path, "post");
  EXPECT_EQ(input.at("kind"), "png");
  EXPECT_EQ(read_all(data() / "inputs" / input.at("image").get<std::string>()), bytes);
  const std::string job = submit({{"prompt", "a kite"}, {"image", input.at("image")}});
  EXPECT_EQ(show(job).at("spec").at("image").at("sha256"), input.at("image"));
  EXPECT_EQ(described(test::post(address_, path, bytes, {"Content-Type: text/html"}), path, "post").size(), 1U);
  const json damaged =
      described(test::post(address_, path, bytes.substr(0, 50), {"Content-Type: image/png"}), path, "post");
  EXPECT_THAT(damaged.at("error").get<std::string>(), testing::Not(HasSubstr(data().string())));
  described(test::post(address_, path, "", {"Content-Type: image/png"}), path, "post");
  for (const auto& left : std::filesystem::directory_iterator(data() / "inputs")) {
    EXPECT_EQ(left.path().filename().string().size(), 64U) << left.path();
  }
}

TEST_F(Api, ChangesJobsAsTheCommandsDo) {
  const std::string job = submit({{"prompt", "SLOW kite"}, {"frames", 40}});
  const std::string at = "/api/jobs/" + job;
  EXPECT_EQ(post("/api/jobs/{job}/pause", at + "/pause", nullptr).at("changed"), true);
  EXPECT_EQ(get("/api/jobs/{job}", at).at("paused"), true);
  post("/api/jobs/{job}/resume", at + "/resume", nullptr);
  post("/api/jobs/{job}/priority", at + "/priority", {{"priority", 7}});
  EXPECT_EQ(get("/api/jobs/{job}", at).at("priority"), 7);
  for (const json& bad : {json(101), json("7"), json(1.5), json(UINT64_MAX), json(nullptr)}) {
    post("/api/jobs/{job}/priority", at + "/priority", {{"priority", bad}}, 400);
  }
  post("/api/jobs/{job}/retry", at + "/retry", nullptr, 409);
  post("/api/jobs/{job}/use", at + "/use", {{"take", 1}}, 409);
  EXPECT_EQ(post("/api/jobs/{job}/cancel", at + "/cancel", nullptr).at("state"), "cancelled");
  EXPECT_EQ(post("/api/jobs/{job}/cancel", at + "/cancel", nullptr).at("changed"), false);
  EXPECT_THAT(get("/api/jobs/{job}", at).at("error").get<std::string>(), HasSubstr("on the page"));
}

TEST_F(Api, SaysWhatAJobWaitsForAndWhatHasHappenedToIt) {
  const std::string done = done_job();
  EXPECT_EQ(get("/api/jobs/{job}/why", "/api/jobs/" + done + "/why").at("reasons").at(0).at("reason"), "done");
  const json events = get("/api/jobs/{job}/events", "/api/jobs/" + done + "/events?limit=2000").at("events");
  EXPECT_EQ(events.front().at("type"), "submitted");
  for (const char* type : {"accepted", "claimed", "step", "done"}) {
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [&](const json& one) { return one.at("type") == type; }))
        << type;
  }
  const json last = get("/api/jobs/{job}/events", "/api/jobs/" + done + "/events?limit=1").at("events");
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last.front(), events.back());
  get("/api/jobs/{job}/events", "/api/jobs/" + done + "/events?limit=0", 400);
  get("/api/jobs/{job}/events", "/api/jobs/j0000000000zz/events", 404);
  get("/api/jobs/{job}/why", "/api/jobs/j0000000000zz/why", 404);
}

TEST_F(Api, PausesTheWholeFarm) {
  EXPECT_EQ(post("/api/farm/pause", "/api/farm/pause", nullptr).at("changed"), true);
  EXPECT_EQ(post("/api/farm/pause", "/api/farm/pause", nullptr).at("changed"), false);
  EXPECT_EQ(get("/api/groups", "/api/groups").at("paused").at("by"), "somebody on the page");
  const std::string job = submit({{"prompt", "a kite"}, {"frames", 40}});
  EXPECT_EQ(get("/api/jobs/{job}/why", "/api/jobs/" + job + "/why").at("reasons").at(0).at("reason"), "farm_paused");
  EXPECT_EQ(post("/api/farm/resume", "/api/farm/resume", nullptr).at("changed"), true);
  EXPECT_EQ(get("/api/groups", "/api/groups").at("paused"), nullptr);
  EXPECT_TRUE(reaches(job, "done"));
}

TEST_F(Api, ShowsWhatAWindowIsBecoming) {
  const std::string job = submit({{"prompt", "SLOW kite"}, {"frames", 40}});
  const std::string path = "/api/jobs/{job}/windows/{window}/preview";
  const std::string target = "/api/jobs/" + job + "/windows/0/preview";
  EXPECT_TRUE(reaches(job, "running"));
  EXPECT_EQ(test::ask(address_, target).status, 204);
  const auto steps = queue::DataFolder(data()).job_steps(job) / "of-this-window";
  std::filesystem::create_directories(steps);
  weights::SafetensorsWriter writer(steps / "latents.safetensors", {{"kept", weights::DType::f32, {1, 16, 2, 16, 24}}},
                                    {{"task", queue::task_id(job, queue::TaskKind::window, 0)}});
  const std::vector<float> latents(16 * 2 * 16 * 24, 0.5F);
  writer.append("kept", std::as_bytes(std::span(latents)));
  writer.finish();
  const RawAnswer answer = test::ask(address_, target + "?step=1");
  EXPECT_EQ(answer.status, 200) << answer.body;
  described(answer, path, "get");
  EXPECT_EQ(test::ask(address_, "/api/jobs/" + job + "/windows/1/preview").status, 204);
  get(path, "/api/jobs/" + job + "/windows/99/preview", 404);
  post("/api/jobs/{job}/cancel", "/api/jobs/" + job + "/cancel", nullptr);
  EXPECT_EQ(video::read_image(line_->write("preview.png", answer.body)).size_text(), "24x16");
}

TEST_F(Api, RerollsAndComparesTakes) {
  const std::string job = done_job();
  const std::string path = "/api/jobs/{job}/reroll";
  const json made = post(path, "/api/jobs/" + job + "/reroll", {{"window", 1}, {"seed", 5}}, 201);
  const std::string take = made.at("jobs").at(0).at("job");
  EXPECT_TRUE(reaches(take, "done"));
  const json takes = get("/api/jobs/{job}/takes", "/api/jobs/" + job + "/takes");
  EXPECT_EQ(takes.at("takes").size(), 2U);
  EXPECT_EQ(takes.at("used"), 2);
  post("/api/jobs/{job}/use", "/api/jobs/" + take + "/use", {{"take", 1}});
  EXPECT_EQ(get("/api/jobs/{job}/takes", "/api/jobs/" + job + "/takes").at("used"), 1);
  post(path, "/api/jobs/" + job + "/reroll", {{"window", 3}}, 400);
  post(path, "/api/jobs/" + job + "/reroll", nullptr, 400);
}

TEST_F(Api, TellsWhyJobsFailed) {
  const std::string job = submit({{"prompt", "FAIL kite"}, {"frames", 40}});
  EXPECT_TRUE(reaches(job, "failed"));
  const json failures = get("/api/failures", "/api/failures");
  EXPECT_TRUE(std::any_of(failures.at("jobs").begin(), failures.at("jobs").end(), [&](const json& one) {
    return one.at("job") == job && one.at("error").get<std::string>().find("asked for a failure") != std::string::npos;
  }));
  get("/api/failures", "/api/failures?limit=0", 400);
}

TEST_F(Api, DrainsAGroup) {
  const std::string group = get("/api/groups", "/api/groups").at("groups").at(0).at("group");
  EXPECT_EQ(post("/api/groups/{group}/drain", "/api/groups/" + group + "/drain", nullptr).at("drain_requested"), true);
  EXPECT_EQ(get("/api/groups", "/api/groups").at("groups").at(0).at("drain_requested"), true);
  post("/api/groups/{group}/undrain", "/api/groups/" + group + "/undrain", nullptr);
  post("/api/groups/{group}/drain", "/api/groups/nobody/drain", nullptr, 404);
  post("/api/groups/{group}/undrain", "/api/groups/a%20b/undrain", nullptr, 404);
}

TEST_F(Api, KnowsNoOtherJobs) {
  for (const char* id : {"j0000000000zz", "nonsense", "j..", "%2e%2e", "j0000000000000000000000000000000"}) {
    const RawAnswer answer = test::ask(address_, std::string("/api/jobs/") + id);
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << id << " " << answer.status;
  }
  for (const char* verb : {"cancel", "pause", "resume", "retry"}) {
    const std::string path = "/api/jobs/{job}/" + std::string(verb);
    post(path, "/api/jobs/j0000000000zz/" + std::string(verb), nullptr, 404);
  }
  get("/api/jobs/{job}/takes", "/api/jobs/j0000000000zz/takes", 404);
  get("/api/jobs/{job}/windows/{window}/frame", "/api/jobs/j0000000000zz/windows/0/frame", 404);
  get("/api/jobs/{job}/windows/{window}/frame", "/api/jobs/j0000000000zz/windows/-1/frame", 404);
  get("/api/jobs/{job}/windows/{window}/frame", "/api/jobs/j0000000000zz/windows/0/frame?width=9999", 400);
}

TEST_F(Api, SaysWhatChangesWhileItHappens) {
  test::RawClient client(address_);
  client.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string head = client.read_until("\"everything\":true");
  EXPECT_THAT(head, HasSubstr("text/event-stream"));
  covered_.insert("get /api/events");
  const std::string job = done_job();
  EXPECT_THAT(client.read_until(job), HasSubstr("event: change\ndata: "));
}

std::set<std::string> metric_names(const std::string& text) {
  std::set<std::string> names;
  const std::regex name("reelfarm_[a-z_]+");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), name); at != std::sregex_iterator(); ++at) {
    names.insert(at->str());
  }
  return names;
}

TEST_F(Api, CountsForPrometheus) {
  done_job();
  const auto scrape = [&] {
    const RawAnswer answer = test::ask(address_, "/metrics");
    described(answer, "/metrics", "get");
    return answer.body;
  };
  ASSERT_TRUE(eventually([&] {
    const std::string text = scrape();
    return text.find("reelfarm_groups{state=\"idle\"} 1\n") != std::string::npos &&
           text.find("reelfarm_jobs{state=\"done\"} 0\n") == std::string::npos;
  })) << scrape();
  const std::string text = scrape();
  std::smatch found;
  ASSERT_TRUE(std::regex_search(text, found, std::regex("reelfarm_windows_done_total ([0-9]+)")));
  EXPECT_GE(std::stoi(found[1]), 3);
  EXPECT_THAT(text, HasSubstr("reelfarm_window_seconds_count " + found[1].str()));
  EXPECT_THAT(text, HasSubstr("reelfarm_events_total{type=\"claimed\"}"));
  // What dashboards and alerts are made of exists; the failures counter shows once something has failed.
  std::set<std::string> known = metric_names(text);
  known.insert("reelfarm_task_failures_total");
  for (const char* file : {"dashboard.json", "alerts.yaml"}) {
    const std::string path = std::string(REELFARM_SOURCE_DIR) + "/deploy/monitoring/" + file;
    const std::set<std::string> used = metric_names(read_all(path));
    EXPECT_GE(used.size(), 5U) << path;
    for (const std::string& name : used) EXPECT_TRUE(known.contains(name)) << name << " in " << path;
  }
  EXPECT_TRUE(json::accept(read_all(std::string(REELFARM_SOURCE_DIR) + "/deploy/monitoring/dashboard.json")));
}

// Runs last of the suite: what no test above has called is described and untested.
TEST_F(Api, WasAskedForEverythingThatIsDescribed) {
  for (const auto& [path, methods] : api_.at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      EXPECT_TRUE(covered_.contains(method + " " + path)) << method << " " << path;
    }
  }
}

}  // namespace
}  // namespace reelfarm
