#include "tests/slurm/cluster.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "posix/start_program.hpp"
#include "tests/e2e/farm.hpp"
#include "tests/slurm/process_tree.hpp"

namespace reelfarm::test {
namespace {

namespace fs = std::filesystem;
using e2e::content;
using e2e::eventually;
using e2e::Result;

constexpr std::chrono::seconds kStart{30};
constexpr std::chrono::seconds kStop{20};

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return std::string(name).substr(0, std::string(name).find('.'));
}

/// A port of the loopback that nobody listens on now.
int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const general = reinterpret_cast<sockaddr*>(&address);
  const bool found = ::bind(descriptor, general, size) == 0 && ::getsockname(descriptor, general, &size) == 0;
  ::close(descriptor);
  if (!found) throw std::runtime_error("no free port on the loopback");
  return ntohs(address.sin_port);
}

void write_key(const fs::path& path) {
  std::string key(1024, '\0');
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) throw std::runtime_error("getrandom");
  std::ofstream(path, std::ios::binary) << key;
  fs::permissions(path, fs::perms::owner_read);
}

std::string node_name(int node) {
  return "n" + std::to_string(node);
}

}  // namespace

std::string SlurmCluster::missing() {
  if (::geteuid() != 0) return "a Slurm of one's own needs root";
  for (const char* program : {"munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol"}) {
    const Result found = e2e::shell(std::string("PATH=$PATH:/usr/sbin:/sbin; command -v ") + program);
    if (found.exit_code != 0) return std::string(program) + " is not installed (tools/setup --tests)";
  }
  return "";
}

SlurmCluster::SlurmCluster(const fs::path& folder, Options options) : folder_(folder), config_(folder / "slurm.conf") {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw std::runtime_error("PR_SET_CHILD_SUBREAPER");
  // munged and slurmctld want folders that others may look into, and none that others may write.
  fs::permissions(folder_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                               fs::perms::others_read | fs::perms::others_exec);
  fs::create_directories(folder_ / "state");
  write_config(options);
  ::setenv("SLURM_CONF", config_.c_str(), 1);
  try {
    write_key(folder_ / "munge.key");
    const auto file = [&](const char* name) { return (folder_ / name).string(); };
    start("munged",
          {"munged", "-F", "--force", "--key-file=" + file("munge.key"), "--socket=" + file("munge.socket"),
           "--pid-file=" + file("munge.pid"), "--seed-file=" + file("munge.seed"), "--log-file=" + file("munge.log")});
    if (!eventually([&] { return fs::exists(folder_ / "munge.socket"); }, kStart))
      throw std::runtime_error("no munged");
    start("slurmctld", {"slurmctld", "-D", "-f", config_.string()});
    for (int node = 1; node <= options.nodes; ++node) start_node(node);
    wait_until_idle(options.nodes);
  } catch (const std::runtime_error& error) {
    const std::string text = std::string(error.what()) + "\n" + logs();
    stop();
    throw std::runtime_error("Slurm did not come up: " + text);
  }
}

SlurmCluster::~SlurmCluster() {
  stop();
  ::unsetenv("SLURM_CONF");
}

void SlurmCluster::write_config(const Options& options) {
  const std::string host = host_name();
  std::ofstream file(config_);
  file << "ClusterName=reelfarm-test\nSlurmctldHost=" << host << "(127.0.0.1)\nSlurmctldPort=" << free_port()
       << "\nSlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\nCredType=cred/munge\n"
       << "AuthInfo=socket=" << (folder_ / "munge.socket").string() << "\n"
       << "StateSaveLocation=" << (folder_ / "state").string() << "\nSlurmdSpoolDir=" << folder_.string()
       << "/spool-%n\n"
       << "SlurmctldPidFile=" << folder_.string() << "/slurmctld.pid\nSlurmdPidFile=" << folder_.string()
       << "/%n.pid\n"
       // No cgroups and no systemd: process trees are followed in /proc.
       << "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n"
       << "AccountingStorageType=accounting_storage/none\nMpiDefault=none\n"
       << "SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nSchedulerType=sched/backfill\n"
       << "SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=100000\n"
       << "SlurmdParameters=config_overrides\nReturnToService=2\nJobRequeue=1\nKillWait=5\nMaxArraySize=1000\n"
       << "InactiveLimit=0\nPreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\n";
  for (int node = 1; node <= options.nodes; ++node) {
    file << "NodeName=" << node_name(node) << " NodeHostname=" << host << " NodeAddr=127.0.0.1 Port=" << free_port()
         << " CPUs=" << options.cpus_per_node << " RealMemory=1000 State=UNKNOWN\n";
  }
  file << "PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1\n"
       << "PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=off\n";
}

pid_t SlurmCluster::start(const std::string& name, const std::vector<std::string>& words) {
  const posix::Descriptor input = posix::null_input();
  const posix::Descriptor log(
      ::open((folder_ / (name + ".log")).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  std::vector<std::string> line = {"env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  line.insert(line.end(), words.begin(), words.end());
  const pid_t child = posix::start_program({.words = std::move(line),
                                            .streams = {input.get(), log.get(), log.get()},
                                            .kinship = posix::Kinship::own_session});
  daemons_[name] = child;
  return child;
}

void SlurmCluster::start_node(int node) {
  start(node_name(node), {"slurmd", "-D", "-N", node_name(node), "-f", config_.string()});
}

void SlurmCluster::wait_until_idle(int nodes) const {
  const bool idle = eventually(
      [&] {
        std::istringstream states(e2e::shell("sinfo -h -p batch -N -o %t").out);
        int count = 0;
        for (std::string state; states >> state;) count += state == "idle" ? 1 : 0;
        return count == nodes;
      },
      kStart);
  if (!idle) throw std::runtime_error("the nodes are not idle:\n" + e2e::shell("sinfo -N; sinfo -R").out);
}

std::string SlurmCluster::run(const std::string& command) const {
  const Result result = e2e::shell(command);
  if (result.exit_code == 0) return result.out;
  throw std::runtime_error(command + " ended with code " + std::to_string(result.exit_code) + ": " + result.out +
                           result.err);
}

std::string SlurmCluster::job_state(const std::string& job) const {
  const Result result = e2e::shell("squeue -h -a -o %T -j " + job);
  return result.exit_code == 0 ? result.out.substr(0, result.out.find('\n')) : "";
}

void SlurmCluster::end_requeue_delay(const std::string& job) const {
  run("scontrol update jobid=" + job + " StartTime=now+2");
}

void SlurmCluster::fail_node(int node) {
  const std::string name = node_name(node);
  const pid_t daemon = daemons_.at(name);
  const auto of_node = [&](pid_t pid) { return has_variable(pid, "SLURMD_NODENAME=" + name); };
  kill_where(descendants(::getpid()), [&](pid_t pid) {
    if (pid == daemon || of_node(pid)) return true;
    // A step's own process left slurmd's tree at once, and what it runs carries the name of its node.
    const std::vector<pid_t> below = descendants(pid);
    return name_of(pid) == "slurmstepd" && std::any_of(below.begin(), below.end(), of_node);
  });
  daemons_.erase(name);
  run("scontrol update nodename=" + name + " state=down reason='power cut'");
}

void SlurmCluster::restart_node(int node) {
  start_node(node);
  // ReturnToService=2: what made it down is forgotten when its slurmd registers.
  const std::string state = "sinfo -h -n " + node_name(node) + " -p batch -o %t";
  if (eventually([&] { return !e2e::shell(state).out.starts_with("down"); }, kStart)) return;
  throw std::runtime_error(node_name(node) + " does not come back:\n" + e2e::shell("sinfo -N; sinfo -R").out);
}

void SlurmCluster::stop() {
  if (daemons_.contains("slurmctld")) {
    e2e::shell("timeout 10 scancel --quiet $(timeout 10 squeue -h -a -o %A)");
    eventually([] { return e2e::shell("timeout 10 squeue -h -a").out.empty(); }, kStop);
  }
  for (const auto& [name, pid] : daemons_) ::kill(pid, SIGTERM);
  eventually(
      [&] {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        return descendants(::getpid()).empty();
      },
      std::chrono::seconds(5));
  kill_where(descendants(::getpid()), [](pid_t) { return true; });
  daemons_.clear();
}

std::string SlurmCluster::logs() const {
  std::string text;
  for (const auto& [name, pid] : daemons_) {
    const std::string log = content(folder_ / (name + ".log"));
    text += "--- " + name + "\n" + log.substr(log.size() > 1500 ? log.size() - 1500 : 0);
  }
  return text;
}

}  // namespace reelfarm::test
