#pragma once

#include <string>

#include "cli/arguments.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::cli {

/// The farm's data folder: --data, REELFARM_DATA, settings file, then ~/.local/share/reelfarm. Absolute.
queue::DataFolder data_folder(const Arguments& arguments);

/// How to reach the farm: --redis, REELFARM_REDIS, settings file, then DATA/farm.json. Throws FarmUnreachable when none
/// says it.
queue::StoreOptions store_options(const Arguments& arguments, const queue::DataFolder& data);

/// Connects. Throws as queue::JobStore does. `check_server`: StoreOptions::check_server.
queue::JobStore connect(const Arguments& arguments, const queue::DataFolder& data, bool check_server = true);

/// Throws BadInput when --hours is there and names no times of day: a worker would only say so when it starts.
void check_hours(const Arguments& arguments);

/// Prints a line when the farm is paused: why nothing moves.
void say_if_paused(queue::JobStore& store);

/// The job's record; throws BadInput when this farm has none.
queue::JobRecord require_job(queue::JobStore& store, const std::string& job);

}  // namespace reelfarm::cli
