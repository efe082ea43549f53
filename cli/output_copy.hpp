#pragma once

#include <string>

#include "coordinator/job_view.hpp"
#include "queue/data_folder.hpp"

namespace reelfarm::cli {

/// Says on stderr whether and by whom a copy will be put where --output says. `waiting`: by this command, unless the
/// coordinator does.
void say_who_puts_copy(const queue::JobSpec& spec, const std::string& job, const queue::DataFolder& data, bool waiting);

/// Where a finished job's video is for the user: the copy that --output asked for, put there now if that is not the
/// coordinator's part, else the published file; empty when there is none.
std::string output_of(const coordinator::JobView& view, const queue::DataFolder& data);

}  // namespace reelfarm::cli
