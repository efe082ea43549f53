// New jobs and new takes, checked as `reelfarm enqueue` checks them and put into the same inbox.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "coordinator/errors.hpp"
#include "coordinator/http/errors.hpp"
#include "coordinator/page/json_body.hpp"
#include "coordinator/page/routes.hpp"
#include "coordinator/submission/input_image.hpp"
#include "coordinator/submission/submission.hpp"
#include "coordinator/submission/take_request.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;
using http::Reply;
using http::Request;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kDecision{5000};
constexpr std::size_t kHashDigits = 64;
constexpr int kMaxWindows = 1'000'000;

bool is_hash(const std::string& text) {
  return text.size() == kHashDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// An upload on its way; gone from the disk however the request ends.
class TemporaryInput {
 public:
  explicit TemporaryInput(const queue::DataFolder& data)
      : path_(data.inputs() / (".input-upload-" + queue::make_job_id() + ".tmp")) {
    artifacts::create_folders(data.inputs());
  }
  ~TemporaryInput() { ::unlink(path_.c_str()); }
  TemporaryInput(const TemporaryInput&) = delete;
  TemporaryInput& operator=(const TemporaryInput&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Reply upload(Context& context, const Request& request) {
  const std::string type = request.header("content-type");
  if (type != "image/png" && type != "image/jpeg" && type != "image/webp") {
    throw http::Refusal(415, "an input is image/png, image/jpeg or image/webp");
  }
  if (request.body_bytes == 0) throw http::Refusal(400, "the image is empty");
  {
    auto store = context.stores.borrow();
    context.data.require_owner(store->farm_id());
    if (const auto disk = store->disk_state(); disk && (disk->full || disk->free < request.body_bytes)) {
      throw http::Refusal(507, "the farm's disk is full");
    }
  }
  const TemporaryInput temporary(context.data);
  {
    artifacts::File file = artifacts::File::create(temporary.path());
    std::uint64_t bytes = 0;
    request.read_body([&](std::string_view piece) {
      file.write(piece);
      bytes += piece.size();
      return bytes <= request.body_bytes;
    });
    if (bytes != request.body_bytes) throw http::Refusal(400, "the image ended early");
    file.close();
  }
  try {
    const queue::ImageInput image = coordinator::inspect_image(temporary.path().string());
    coordinator::store_input(context.data, temporary.path().string(), image);
    return json_reply({{"image", image.sha256}, {"kind", image.kind}}, 201);
  } catch (const coordinator::BadInput& error) {
    // Its place on the disk is nothing that the client knows.
    std::string words = error.what();
    const std::string path = temporary.path().string();
    for (std::size_t at = 0; (at = words.find(path)) != std::string::npos;) words.replace(at, path.size(), "upload");
    throw http::Refusal(400, words);
  }
}

Reply submitted_reply(queue::JobStore& store, const std::vector<coordinator::Candidate>& candidates,
                      const std::vector<std::string>& jobs) {
  json list = json::array();
  json warnings = json::array();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto job = store.get_job(jobs[i]);
    if (!job) continue;
    list.push_back({{"job", job->id},
                    {"state", to_string(job->state)},
                    {"seed", job->spec.seed},
                    {"windows", job->windows},
                    {"frames", job->spec.frames ? json(*job->spec.frames) : json(nullptr)}});
    for (const std::string& warning : candidates[i].warnings) {
      if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) warnings.push_back(warning);
    }
  }
  return json_reply({{"jobs", std::move(list)}, {"warnings", std::move(warnings)}}, 201);
}

Reply submit(Context& context, const coordinator::JobRequest& request, queue::JobStore& store) {
  coordinator::check_without_farm({request});
  const auto candidates = coordinator::check_requests({request}, store, context.data);
  coordinator::store_inputs(candidates, store, context.data);
  return submitted_reply(store, candidates, coordinator::submit_all(candidates, store, kDecision));
}

Reply submit_job(Context& context, const Request& http_request) {
  json body = json_body(http_request);
  try {
    coordinator::JobFields fields = coordinator::fields_of_object(body, "");
    if (const auto output = fields.find("output"); output != fields.end() && !output->second.back().starts_with('/')) {
      throw http::Refusal(400, "output must be an absolute path, below the coordinator's --output-root");
    }
    if (const auto found = fields.find("image"); found != fields.end()) {
      const std::string hash = found->second.back();
      if (!is_hash(hash) || !std::filesystem::exists(context.data.input(hash))) {
        throw http::Refusal(400, "image must be what POST /api/inputs answered for the picture");
      }
      found->second = {context.data.input(hash).string()};
    }
    const coordinator::JobRequest request = coordinator::read_request(fields, "the job: ");
    auto store = context.stores.borrow();
    return submit(context, request, *store);
  } catch (const coordinator::BadInput& error) {
    throw http::Refusal(400, error.what());
  }
}

Reply reroll(Context& context, const Request& http_request) {
  const json body = json_body(http_request);
  auto store = context.stores.borrow();
  const queue::JobRecord job = require_job(*store, http_request);
  const auto window = integer_field(body, "window", 0, kMaxWindows);
  if (window >= job.windows) {
    throw http::Refusal(400, job.windows == 0 ? job.id + " has no windows yet"
                                              : job.id + " has windows 0 to " + std::to_string(job.windows - 1));
  }
  coordinator::JobRequest request = coordinator::new_take_of(*store, job);
  request.spec.from_window = static_cast<int>(window);
  request.spec.seed = body.contains("seed") ? static_cast<std::uint64_t>(integer_field(body, "seed", 0, INT64_MAX))
                                            : coordinator::draw_seed();
  try {
    return submit(context, request, *store);
  } catch (const coordinator::BadInput& error) {
    throw http::Refusal(409, error.what());
  }
}

}  // namespace

void add_submit_routes(http::Router& router, Context& context) {
  router.add(Method::post, "/api/inputs", Access::token, with(context, upload));
  router.add(Method::post, "/api/jobs", Access::token, with(context, submit_job));
  router.add(Method::post, "/api/jobs/{job}/reroll", Access::token, with(context, reroll));
}

}  // namespace reelfarm::page
