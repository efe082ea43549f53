#include "cli/submit_command.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/errors.hpp"
#include "cli/follow.hpp"
#include "cli/output_copy.hpp"
#include "cli/text.hpp"
#include "coordinator/output_template.hpp"
#include "coordinator/submission/submission.hpp"
#include "pipeline/windows/frame_rate.hpp"
#include "pipeline/windows/grid.hpp"
#include "pipeline/windows/size.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kJobsInFull = 3;  // of a batch; the others take a line each

json json_of(const queue::JobRecord& job, const coordinator::Candidate& candidate, const std::string& output) {
  // What the farm holds decides: a request id that was seen before is the job of then.
  const bool planned = job.windows > 0;
  const std::string& batch = job.id.empty() ? candidate.spec.batch : job.spec.batch;
  json document = {{"job", job.id},
                   {"state", to_string(job.state)},
                   {"seed", job.id.empty() ? candidate.spec.seed : job.spec.seed},
                   {"windows", job.windows},
                   {"frames", nullptr},
                   {"batch", batch.empty() ? json(nullptr) : json(batch)},
                   {"output", output.empty() ? json(nullptr) : json(output)}};
  if (planned) {
    document["frames"] = job.spec.frames.value_or(0);
  } else if (candidate.plan) {
    document["windows"] = candidate.plan->tasks.back().stitch.windows;
    document["frames"] = *candidate.plan->spec.frames;
  }
  if (!job.error.message.empty()) document["error"] = job.error.message;
  return document;
}

void print_line(const char* what, const std::string& text) {
  std::printf("  %-9s %s\n", what, text.c_str());
}

std::string minutes_text(const coordinator::Candidate& candidate) {
  if (!candidate.estimate) return "not known yet: this farm has rendered no window with these weights";
  const coordinator::WindowEstimate& estimate = *candidate.estimate;
  return "about " + duration_text(estimate.seconds * candidate.windows_to_render()) + ", from " +
         std::to_string(estimate.samples) + (estimate.samples == 1 ? " window" : " windows") +
         (estimate.scaled ? " of other sizes" : " of this kind");
}

void print_plan(const coordinator::Candidate& candidate) {
  const queue::JobSpec& spec = candidate.plan->spec;
  const queue::StitchSettings& stitch = candidate.plan->tasks.back().stitch;
  const windows::FrameRate rate{stitch.frame_rate_numerator, stitch.frame_rate_denominator};
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.2f s", windows::seconds_at_frame(stitch.frames, rate));
  print_line("video", std::to_string(stitch.frames) + " frames, " + seconds + " at " + windows::to_string(rate) +
                          " a second, " + windows::to_string(windows::Size{stitch.width, stitch.height}));
  const std::string anew =
      spec.from_window ? std::to_string(candidate.windows_to_render()) + " to render, of " : std::string();
  print_line("windows", anew + std::to_string(stitch.windows) + " of at most " + std::to_string(*spec.window_frames) +
                            " frames, overlap " + std::to_string(stitch.overlap_frames));
  print_line("bundle", spec.bundle + ", " + std::to_string(*spec.steps) + " steps");
  print_line("time", minutes_text(candidate));
  print_line("disk", "up to " + bytes_text(candidate.plan->bytes_needed));
  const windows::Grid grid = windows::plan({*spec.frames, *spec.window_frames, *spec.overlap_frames});
  if (const auto saving = windows::window_saving(grid)) print_line("hint", saving->describe(grid));
}

void print_candidate(const std::string& heading, const coordinator::Candidate& candidate, std::uint64_t seed,
                     bool in_full) {
  if (!in_full) {
    std::printf("%s  seed %llu  %s\n", heading.c_str(), static_cast<unsigned long long>(seed),
                one_line(candidate.spec.prompt, 60).c_str());
    return;
  }
  std::printf("%s\n", heading.c_str());
  print_line("seed", std::to_string(seed));
  if (candidate.plan) print_plan(candidate);
}

int wait_for(const std::vector<std::string>& jobs, const std::vector<coordinator::Candidate>& candidates,
             queue::JobStore& store, const queue::DataFolder& data, bool as_json) {
  FollowOptions options;
  options.known = true;
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    if (candidates[index].estimate) options.window_seconds[jobs[index]] = candidates[index].estimate->seconds;
  }
  const FollowResult result = follow(store, data, jobs, options);
  if (result.interrupted) {
    std::fprintf(stderr,
                 "detached: %s on; 'reelfarm watch %s' shows it again and puts the copy, 'reelfarm cancel' stops it\n",
                 jobs.size() == 1 ? "the job goes" : "the jobs go", jobs.front().c_str());
  }
  for (std::size_t index = 0; index < result.views.size(); ++index) {
    const coordinator::JobView& view = result.views[index];
    const std::string output = output_of(view, data);
    if (as_json) {
      std::printf("%s\n", json_of(view.job, candidates[index], output).dump().c_str());
      continue;
    }
    std::printf("%s %s%s%s\n", view.job.id.c_str(), std::string(to_string(view.job.state)).c_str(),
                view.job.partial && !output.empty() ? " (partial)" : "", output.empty() ? "" : (" " + output).c_str());
    if (!view.job.error.message.empty()) std::fprintf(stderr, "reelfarm: %s\n", view.job.error.message.c_str());
  }
  return result.interrupted ? static_cast<int>(kInterrupted) : exit_code_of(result.views);
}

/// Redis was restarted without its last writes, emptied, or replaced by a replica that lacks them.
std::string lost_text(const std::string& job, bool has_request_id) {
  return "Redis took job " + job +
         " and does not know it any more: it has lost its last moments. If a coordinator had " +
         "accepted the job, it brings it back: see 'reelfarm status " + job + "'. If it does not come back, " +
         (has_request_id ? "run the same command again: its --request-id keeps it from being taken twice"
                         : "run the command again");
}

void report_submitted(const std::vector<std::string>& jobs, const std::vector<coordinator::Candidate>& candidates,
                      queue::JobStore& store, const queue::DataFolder& data, const SubmitOptions& options) {
  const bool as_json = options.as_json;
  const bool waiting = options.waiting;
  const bool in_full = options.announcement.empty();
  bool undecided = false;
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    const auto job = store.get_job(jobs[index]);
    if (!job) throw FarmUnreachable(lost_text(jobs[index], !candidates[index].spec.request_id.empty()));
    undecided = undecided || job->state == queue::JobState::submitted;
    // With --wait the one object comes at the end.
    if (as_json && !waiting) {
      const std::string& wanted = candidates[index].spec.output;
      const std::string output = wanted.empty() ? "" : coordinator::expand_output(wanted, job->id, job->spec).string();
      std::printf("%s\n", json_of(*job, candidates[index], output).dump().c_str());
    } else if (!as_json) {
      print_candidate(job->id + "  " + std::string(to_string(job->state)), candidates[index], job->spec.seed,
                      in_full && jobs.size() <= kJobsInFull);
    }
    say_who_puts_copy(candidates[index].spec, job->id, data, waiting);
  }
  std::fflush(stdout);
  if (!as_json && jobs.size() > 1 && !candidates.front().spec.batch.empty()) {
    std::fprintf(stderr, "note: these are batch '%s'\n", candidates.front().spec.batch.c_str());
  }
  if (undecided) {
    std::fprintf(stderr,
                 "note: no coordinator has taken the job yet, so it stays submitted; it is safe in Redis and will be "
                 "planned when one runs\n");
  }
}

void print_dry_run(const coordinator::Candidate& candidate, const SubmitOptions& options, bool in_full) {
  if (!options.as_json) {
    const std::string what = options.announcement.empty() ? "" : options.announcement + ": ";
    print_candidate(what + "dry run, nothing is queued", candidate, candidate.spec.seed, in_full);
    return;
  }
  json document = json_of(queue::JobRecord{}, candidate, candidate.spec.output);
  document["job"] = nullptr;
  document["state"] = nullptr;
  if (candidate.plan) document["bytes_needed"] = candidate.plan->bytes_needed;
  if (candidate.estimate) {
    document["seconds"] = candidate.estimate->seconds * candidate.windows_to_render();
  }
  std::printf("%s\n", document.dump().c_str());
}

}  // namespace

SubmitOptions submit_options(const Arguments& arguments) {
  const double patience_s = arguments.number("accept-timeout", 10);
  if (!(patience_s >= 0 && patience_s <= 86400)) throw BadInput("--accept-timeout must be from 0 to 86400 seconds");
  SubmitOptions options;
  options.as_json = arguments.flag("json");
  options.waiting = arguments.flag("wait");
  options.dry_run = arguments.flag("dry-run");
  options.patience = std::chrono::milliseconds(static_cast<std::int64_t>(patience_s * 1000));
  return options;
}

int submit_and_report(const std::vector<coordinator::JobRequest>& requests, queue::JobStore& store,
                      const queue::DataFolder& data, const SubmitOptions& options) {
  const std::vector<coordinator::Candidate> candidates = coordinator::check_requests(requests, store, data);
  for (const coordinator::Candidate& candidate : candidates) {
    for (const std::string& warning : candidate.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
    if (&candidate - candidates.data() >= static_cast<std::ptrdiff_t>(kJobsInFull)) break;
  }
  if (options.dry_run) {
    for (const coordinator::Candidate& candidate : candidates) {
      print_dry_run(candidate, options, candidates.size() <= kJobsInFull);
    }
    return kDone;
  }
  if (!options.announcement.empty() && !options.as_json) {
    for (const coordinator::Candidate& candidate : candidates) {
      print_candidate(options.announcement, candidate, candidate.spec.seed, true);
    }
    std::fflush(stdout);
  }
  coordinator::store_inputs(candidates, store, data);
  const std::vector<std::string> jobs = coordinator::submit_all(candidates, store, options.patience);
  report_submitted(jobs, candidates, store, data, options);
  return options.waiting ? wait_for(jobs, candidates, store, data, options.as_json) : static_cast<int>(kDone);
}

}  // namespace reelfarm::cli
