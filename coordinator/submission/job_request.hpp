#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "queue/job.hpp"

namespace reelfarm::coordinator {

/// What the user says about one job, as text: key -> values. Keys are those of the options of enqueue.
using JobFields = std::map<std::string, std::vector<std::string>>;

/// One request, which is several jobs when it asks for variants.
struct JobRequest {
  queue::JobSpec spec;  ///< without image hash; the seed is set
  std::string image;    ///< file; empty: none
  std::int64_t variants = 1;
  std::string where;  ///< "line 3 of jobs.jsonl: " or empty; goes before messages
};

/// Options of enqueue that say something about one job.
const std::vector<std::string>& job_keys();

/// A JSON object with those keys ('_' counts as '-'): text, numbers, switches, for tag a list too; null is as if it
/// were not there. Throws BadInput beginning with `where`: another key (with the nearest one), another type.
JobFields fields_of_object(const nlohmann::json& document, const std::string& where);

/// Each of `settings` is "key=value" with a key of enqueue; tag may come again. Throws BadInput, with the nearest key.
JobFields fields_of_settings(const std::vector<std::string>& settings);

/// A fresh seed: small enough to be typed again and to pass through every JSON reader, which may hold numbers as
/// doubles.
std::uint64_t draw_seed();

/// Changes what the fields name and leaves the rest of the request as it is; a length replaces a length. Messages name
/// keys behind `prefix`, such as "--". Throws BadInput as read_request does.
void apply(const JobFields& fields, const std::string& prefix, JobRequest& request);

/// Reads the fields. Variants without a batch get one. Throws BadInput: not a number, unknown word, what this version
/// does not have.
JobRequest read_request(const JobFields& fields, const std::string& where);

/// One request a line; what a line leaves out comes from `defaults`, and a batch where they have none is drawn. Blank
/// lines are skipped. Throws BadInput with the number of the first bad line: not JSON, unknown key (with the nearest
/// known one), wrong type.
std::vector<JobRequest> read_request_file(const std::string& path, JobFields defaults);

}  // namespace reelfarm::coordinator
