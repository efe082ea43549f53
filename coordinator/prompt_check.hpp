#pragma once

#include <map>
#include <memory>
#include <string>

#include "coordinator/errors.hpp"
#include "queue/bundle_limits.hpp"
#include "queue/data_folder.hpp"
#include "queue/job.hpp"

namespace reelfarm::tokenizers {
class Tokenizer;
}

namespace reelfarm::coordinator {

/// Counts the tokens of prompts with the tokenizers that worker groups have copied into DATA.
class PromptCheck {
 public:
  explicit PromptCheck(queue::DataFolder data) : data_(std::move(data)) {}

  /// Throws Rejected when an encoder that would read the job's prompt takes fewer tokens than it has. A tokenizer that
  /// is not in DATA, or cannot be read, refuses nothing: the ranks count again.
  void require_fit(const queue::JobSpec& spec, const queue::BundleLimits& limits);

 private:
  std::shared_ptr<const tokenizers::Tokenizer> tokenizer(const std::string& bundle_hash, const std::string& name);

  queue::DataFolder data_;
  std::map<std::string, std::shared_ptr<const tokenizers::Tokenizer>> opened_;  ///< by folder
};

}  // namespace reelfarm::coordinator
