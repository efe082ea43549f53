#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::cli {

class Arguments;

/// One option of a command: one row of its help and of docs/cli.md.
struct OptionRow {
  std::string name;   ///< without the hyphens
  std::string value;  ///< placeholder, such as "FILE"; empty: a switch
  std::string fallback;
  std::string meaning;
  bool repeated = false;
  char letter = 0;                 ///< "-f" stands for it; 0: none
  bool only_command_line = false;  ///< about one job: a setting of the same name is meant for others

  bool is_switch() const { return value.empty(); }
};

struct Command {
  std::string name;      ///< of one word, or two as in "slurm submit"
  std::string operands;  ///< as shown in the help, for example "JOB..."
  std::string summary;
  std::size_t min_operands = 0;
  std::size_t max_operands = 0;
  std::vector<OptionRow> options;
  int (*run)(const Arguments&) = nullptr;
  std::string sibling;  ///< not empty: the program that gets all arguments as they are

  const OptionRow* option(std::string_view name) const;
};

/// Every command, in the order of the help.
const std::vector<Command>& commands();
const Command* find_command(std::string_view name);

int run_enqueue(const Arguments& arguments);
int run_status(const Arguments& arguments);
int run_watch(const Arguments& arguments);
int run_show(const Arguments& arguments);
int run_logs(const Arguments& arguments);
int run_why(const Arguments& arguments);
int run_cancel(const Arguments& arguments);
int run_pause(const Arguments& arguments);
int run_resume(const Arguments& arguments);
int run_retry(const Arguments& arguments);
int run_reroll(const Arguments& arguments);
int run_takes(const Arguments& arguments);
int run_use(const Arguments& arguments);
int run_rm(const Arguments& arguments);
int run_du(const Arguments& arguments);
int run_gc(const Arguments& arguments);
int run_doctor(const Arguments& arguments);
int run_report(const Arguments& arguments);
int run_trace(const Arguments& arguments);
int run_resubmit(const Arguments& arguments);
int run_set_priority(const Arguments& arguments);
int run_groups(const Arguments& arguments);
int run_drain(const Arguments& arguments);
int run_undrain(const Arguments& arguments);
int run_slurm_autoscale(const Arguments& arguments);
int run_slurm_submit(const Arguments& arguments);
int run_up(const Arguments& arguments);
int run_down(const Arguments& arguments);

}  // namespace reelfarm::cli
