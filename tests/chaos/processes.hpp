#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace reelfarm::chaos {

/// A process, told from a later one with the same id by when it started.
struct Process {
  pid_t pid = 0;
  unsigned long long started = 0;  ///< clock ticks since boot
  bool operator==(const Process&) const = default;
};

std::optional<Process> find_process(pid_t pid);

/// False also for one that has ended and waits for its parent to notice.
bool is_alive(const Process& process);

/// By SIGSTOP, and not continued since.
bool is_stopped(const Process& process);

std::vector<Process> children_of(pid_t parent);

/// Those whose command line contains `text`, without the caller.
std::vector<Process> processes_with(const std::string& text);

/// Its words with spaces between them; empty when it has gone.
std::string command_line(const Process& process);

/// Sends the signal unless the process has gone.
void send(const Process& process, int signal);

}  // namespace reelfarm::chaos
