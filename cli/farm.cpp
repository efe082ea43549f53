#include "cli/farm.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "cli/errors.hpp"
#include "cli/farm_file.hpp"
#include "cli/text.hpp"
#include "queue/working_hours.hpp"

namespace reelfarm::cli {

queue::DataFolder data_folder(const Arguments& arguments) {
  std::filesystem::path path = arguments.text("data");
  if (path.empty()) {
    const char* home = std::getenv("HOME");
    if (!home) throw BadInput("no --data is given and HOME is not set: say where the farm's data folder is");
    path = std::filesystem::path(home) / ".local/share/reelfarm";
  }
  return queue::DataFolder(std::filesystem::absolute(path).lexically_normal());
}

queue::StoreOptions store_options(const Arguments& arguments, const queue::DataFolder& data) {
  queue::StoreOptions options;
  options.url = arguments.text("redis");
  options.farm = arguments.text("farm", options.farm);
  options.allow_volatile = arguments.flag("allow-volatile");
  if (options.url.empty()) {
    const auto farm = read_farm_file(data);
    if (!farm) {
      throw FarmUnreachable("no farm is known: there is no " + data.farm_file().string() +
                            " and no --redis; start one with 'reelfarm up', or say where it is with --redis or --data");
    }
    options.url = farm->redis;
    options.farm = arguments.text("farm", farm->name);
    options.allow_volatile = options.allow_volatile || farm->allow_volatile;
  }
  return options;
}

queue::JobStore connect(const Arguments& arguments, const queue::DataFolder& data, bool check_server) {
  queue::StoreOptions options = store_options(arguments, data);
  options.check_server = check_server;
  try {
    return queue::JobStore(options);
  } catch (const queue::ConnectionError& error) {
    if (arguments.has("redis")) throw;
    throw FarmUnreachable(std::string(error.what()) + "; " + data.farm_file().string() +
                          " names this Redis: is the farm still up ('reelfarm up')?");
  }
}

void check_hours(const Arguments& arguments) try {
  if (arguments.has("hours")) queue::WorkingHours{arguments.text("hours")};
} catch (const std::invalid_argument& error) {
  throw BadInput(error.what());
}

void say_if_paused(queue::JobStore& store) {
  const auto pause = store.farm_pause();
  if (!pause) return;
  std::printf("the farm is paused by %s since %s: nothing is rendered until 'reelfarm resume --all'\n",
              pause->by.c_str(), time_text(pause->since).c_str());
}

queue::JobRecord require_job(queue::JobStore& store, const std::string& job) {
  const auto record = queue::is_job_id(job) ? store.get_job(job) : std::nullopt;
  if (!record) throw BadInput("there is no job '" + job + "' in this farm (see reelfarm status)");
  return *record;
}

}  // namespace reelfarm::cli
