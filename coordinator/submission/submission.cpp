#include "coordinator/submission/submission.hpp"

#include <map>

#include "coordinator/errors.hpp"
#include "coordinator/inbox.hpp"
#include "coordinator/planner.hpp"
#include "coordinator/prompt_check.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/submission/input_image.hpp"
#include "coordinator/take.hpp"
#include "pipeline/windows/seeds.hpp"
#include "queue/event.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr std::chrono::milliseconds kLook{100};

std::vector<queue::JobSpec> variants_of(const JobRequest& request) {
  if (request.variants == 1) return {request.spec};
  std::vector<queue::JobSpec> specs;
  for (std::int64_t variant = 0; variant < request.variants; ++variant) {
    queue::JobSpec spec = request.spec;
    spec.seed = windows::variant_seed(request.spec.seed, static_cast<std::uint64_t>(variant));
    spec.variant_index = static_cast<int>(variant);
    spec.variant_count = static_cast<int>(request.variants);
    if (!spec.request_id.empty()) spec.request_id += "#" + std::to_string(variant);
    specs.push_back(std::move(spec));
  }
  return specs;
}

/// What a job is checked against.
struct Farm {
  queue::JobStore& store;
  const queue::DataFolder& data;
  KnownBundles bundles;
  PromptCheck prompts;
};

Candidate check(const queue::JobSpec& spec, Farm& farm, const std::string& where) {
  Candidate candidate;
  candidate.spec = spec;
  try {
    check_request(spec);
    const auto parent = find_parent(farm.store, farm.data, spec);
    const queue::BundleLimits& limits = parent ? parent->file.bundle : choose_bundle(spec, farm.bundles);
    CompletedJob completed = complete(spec, limits);
    farm.prompts.require_fit(completed.spec, limits);
    if (parent) require_same_video(completed.spec, parent->file.plan.spec);
    candidate.plan = plan_job("j000000000000", completed.spec, limits, parent ? &parent->file.plan : nullptr);
    candidate.bundle = limits;
    candidate.warnings = std::move(completed.warnings);
    if (auto lack = lacking_group(spec, limits, farm.bundles)) candidate.warnings.push_back(std::move(*lack));
  } catch (const NotYet& error) {
    candidate.warnings.emplace_back(error.what());
  } catch (const Rejected& error) {
    throw BadInput(where + error.what());
  }
  return candidate;
}

bool is_rejected(const queue::JobRecord& job) {
  return job.error.error_class == "rejected";
}

}  // namespace

int Candidate::windows_to_render() const {
  if (!plan) return 0;
  return plan->tasks.back().stitch.windows - plan->spec.from_window.value_or(0);
}

void check_without_farm(const std::vector<JobRequest>& requests) {
  for (const JobRequest& request : requests) {
    try {
      check_request(request.spec);
    } catch (const Rejected& error) {
      throw BadInput(request.where + error.what());
    }
  }
}

std::vector<Candidate> check_requests(const std::vector<JobRequest>& requests, queue::JobStore& store,
                                      const queue::DataFolder& data) {
  Farm farm{store, data, known_bundles(store), PromptCheck(data)};
  std::map<std::string, queue::ImageInput> images;
  std::vector<Candidate> candidates;
  for (const JobRequest& request : requests) {
    queue::JobSpec base = request.spec;
    if (!request.image.empty()) {
      try {
        if (!images.contains(request.image)) images[request.image] = inspect_image(request.image);
      } catch (const BadInput& error) {
        throw BadInput(request.where + error.what());
      }
      base.image = images[request.image];
    }
    JobRequest with_image = request;
    with_image.spec = base;
    for (const queue::JobSpec& spec : variants_of(with_image)) {
      Candidate candidate = check(spec, farm, request.where);
      candidate.image = request.image;
      candidates.push_back(std::move(candidate));
    }
  }
  // Jobs of one file mostly differ in words and seeds: windows of one amount of work are looked up once.
  std::map<std::string, std::optional<WindowEstimate>> estimates;
  for (Candidate& candidate : candidates) {
    if (!candidate.plan) continue;
    const queue::JobSpec& spec = candidate.plan->spec;
    const std::string key = spec.bundle_hash + " " + std::to_string(*spec.width) + "x" + std::to_string(*spec.height) +
                            " " + std::to_string(*spec.steps) + " " + std::to_string(*spec.window_frames) + " " +
                            std::to_string(*spec.frames);
    if (!estimates.contains(key)) estimates[key] = estimate_window(store, *candidate.plan);
    candidate.estimate = estimates[key];
  }
  return candidates;
}

void store_inputs(const std::vector<Candidate>& candidates, queue::JobStore& store, const queue::DataFolder& data) {
  bool checked = false;
  for (const Candidate& candidate : candidates) {
    if (candidate.image.empty()) continue;
    // Only images make a client write to DATA.
    if (!checked) data.require_owner(store.farm_id());
    checked = true;
    store_input(data, candidate.image, *candidate.spec.image);
  }
}

std::vector<std::string> submit_all(const std::vector<Candidate>& candidates, queue::JobStore& store,
                                    std::chrono::milliseconds patience) {
  std::vector<queue::JobSpec> specs;
  for (const Candidate& candidate : candidates) specs.push_back(candidate.spec);
  queue::EventReader events(store.options());
  const auto submitted = store.submit_batch(specs);
  std::vector<std::string> jobs;
  std::string rejected;
  std::string reason;
  bool undecided = false;
  for (const queue::SubmitResult& result : submitted) {
    jobs.push_back(result.job);
    // Of a long file each job decided is a sign of life; patience is for a coordinator that is not there.
    const auto deadline = std::chrono::steady_clock::now() + (undecided ? std::chrono::milliseconds(0) : patience);
    for (;;) {
      const auto job = store.get_job(result.job);
      if (job && is_rejected(*job) && rejected.empty()) {
        rejected = result.job;
        reason = job->error.message;
      }
      if (!job || job->state != queue::JobState::submitted) break;
      undecided = std::chrono::steady_clock::now() >= deadline;
      if (undecided) break;
      events.read(kLook);
    }
  }
  if (rejected.empty()) return jobs;
  for (const queue::SubmitResult& result : submitted) {
    if (result.created && result.job != rejected) store.cancel(result.job, "another job of the same file was rejected");
  }
  throw BadInput(reason);
}

}  // namespace reelfarm::coordinator
