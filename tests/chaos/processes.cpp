#include "tests/chaos/processes.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace reelfarm::chaos {
namespace {

namespace fs = std::filesystem;

struct Entry {
  Process process;
  char state = 0;
  pid_t parent = 0;
};

/// From /proc/PID/stat (proc(5)); nothing when there is no such process.
std::optional<Entry> look_up(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name in field 2 may hold spaces and parentheses: the other fields start behind the last one.
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  Entry entry;
  entry.process.pid = pid;
  fields >> entry.state >> entry.parent;
  constexpr int kFieldsBeforeStart = 17;
  std::string skipped;
  for (int i = 0; i < kFieldsBeforeStart; ++i) fields >> skipped;
  fields >> entry.process.started;
  if (!fields) return std::nullopt;
  return entry;
}

std::vector<Entry> all_processes() {
  std::vector<Entry> entries;
  for (const auto& folder : fs::directory_iterator("/proc")) {
    const std::string name = folder.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    if (const auto entry = look_up(pid)) entries.push_back(*entry);
  }
  return entries;
}

bool has_ended(const Entry& entry) {
  return entry.state == 'Z' || entry.state == 'X';
}

}  // namespace

std::optional<Process> find_process(pid_t pid) {
  const auto entry = look_up(pid);
  if (!entry || has_ended(*entry)) return std::nullopt;
  return entry->process;
}

bool is_alive(const Process& process) {
  const auto entry = look_up(process.pid);
  return entry && entry->process == process && !has_ended(*entry);
}

bool is_stopped(const Process& process) {
  const auto entry = look_up(process.pid);
  return entry && entry->process == process && entry->state == 'T';
}

std::vector<Process> children_of(pid_t parent) {
  std::vector<Process> children;
  for (const Entry& entry : all_processes()) {
    if (entry.parent == parent && !has_ended(entry)) children.push_back(entry.process);
  }
  return children;
}

std::vector<Process> processes_with(const std::string& text) {
  std::vector<Process> found;
  for (const Entry& entry : all_processes()) {
    if (entry.process.pid == ::getpid() || has_ended(entry)) continue;
    if (command_line(entry.process).find(text) != std::string::npos) found.push_back(entry.process);
  }
  return found;
}

std::string command_line(const Process& process) {
  std::ifstream file("/proc/" + std::to_string(process.pid) + "/cmdline", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

void send(const Process& process, int signal) {
  if (is_alive(process)) ::kill(process.pid, signal);
}

}  // namespace reelfarm::chaos
