#include "cli/job_fields.hpp"

namespace reelfarm::cli {

coordinator::JobFields fields_of(const Arguments& arguments) {
  coordinator::JobFields fields;
  for (const std::string& key : coordinator::job_keys()) {
    if (arguments.has(key)) fields[key] = arguments.texts(key);
  }
  return fields;
}

}  // namespace reelfarm::cli
