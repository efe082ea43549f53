#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "cli/doctor/checks.hpp"
#include "cli/text.hpp"

namespace reelfarm::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kWords = 300;
const char* const kMpiHint =
    "try 'mpirun -n 2 hostname'; install Open MPI on this machine, and see that nothing filters "
    "its loopback network";
const char* const kGpuHint = "see 'nvidia-smi' and the kernel's log (dmesg, Xid); restart the driver or the machine";

/// 13000 as "13.0".
std::string cuda_version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

/// 22807 as "2.28.7".
std::string nccl_version(int number) {
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

/// What a check is about: "mpi", "gpu 1".
std::string name_of(const json& line) {
  std::string name = line.value("check", "");
  if (line.contains("gpu")) name += " " + std::to_string(line["gpu"].get<int>());
  return name;
}

Finding judge_mpi(const json& line) {
  const std::string ranks = std::to_string(line.at("ranks").get<int>()) + " ranks";
  const std::string library = line.at("library").get<std::string>();
  if (line.at("right").get<bool>()) return {Health::ok, "mpi", ranks + " sum right over " + library};
  return {Health::problem, "mpi", ranks + " do not get the right sum over " + library, kMpiHint};
}

Finding judge_gpus(const json& line) {
  const int driver = line.value("driver", 0);
  if (line.contains("error")) {
    return {Health::problem, "gpu", one_line(line["error"].get<std::string>(), kWords), kGpuHint};
  }
  if (line.at("count").get<int>() == 0) {
    return {Health::note, "gpu", driver == 0 ? "none visible, and no driver" : "none visible to the driver",
            "groups here render on the CPU; see CUDA_VISIBLE_DEVICES, and Slurm's --gpus, if there should be one"};
  }
  return {Health::ok, "gpu",
          std::to_string(line["count"].get<int>()) + " visible, the driver serves CUDA " + cuda_version(driver)};
}

Finding judge_gpu(const json& line, int driver) {
  const std::string what = name_of(line);
  const int runtime = line.value("runtime", 0);
  const std::string older = driver < runtime ? "install a driver for CUDA " + cuda_version(runtime) + " or newer" : "";
  if (line.contains("error")) {
    return {Health::problem, what, one_line(line["error"].get<std::string>(), kWords),
            older.empty() ? kGpuHint : older};
  }
  const int capability = line.at("capability").get<int>();
  const std::string text = line.at("name").get<std::string>() + ", " +
                           bytes_text(line.at("memory").get<std::int64_t>()) + ", compute capability " +
                           std::to_string(capability / 10) + "." + std::to_string(capability % 10) + ", CUDA " +
                           cuda_version(runtime);
  if (!line.at("right").get<bool>()) {
    return {Health::problem, what, text + ": its products are not those of the CPU", kGpuHint};
  }
  const std::string kernels = line.at("kernels").get<std::string>();
  if (kernels == "run") return {Health::ok, what, text + "; products right, our kernels run"};
  if (kernels == "absent") {
    return {Health::note, what, text + "; products right, without our own kernels (libreelfarm_cuda.so is not there)",
            "it renders with LibTorch's, slower and without fp8 attention: install the programs with CUDA"};
  }
  return {Health::problem, what, text + "; our own kernels do not run: " + one_line(kernels, kWords),
          "they are compiled for compute capability 8.0, 8.6, 8.9, 9.0 and 12.0: build them for this card "
          "(CMAKE_CUDA_ARCHITECTURES)"};
}

Finding judge_nccl(const json& line) {
  if (line.contains("error")) {
    return {Health::problem, "nccl", one_line(line["error"].get<std::string>(), kWords),
            "a group of one rank (--ranks 1) does without it; NCCL_DEBUG=INFO says more"};
  }
  const int gpus = line.at("gpus").get<int>();
  const std::string version = "version " + nccl_version(line.at("version").get<int>());
  if (gpus == 1) return {Health::ok, "nccl", version + ", one GPU: nothing to exchange"};
  const std::string text = version + ", " + std::to_string(gpus) + " GPUs ";
  if (line.at("right").get<bool>()) return {Health::ok, "nccl", text + "sum right"};
  return {Health::problem, "nccl", text + "do not get the right sum", "NCCL_DEBUG=INFO says what they exchange over"};
}

/// The last of each thing's lines, in the order in which they began.
std::vector<json> last_lines(const std::string& output) {
  std::vector<json> lines;
  std::istringstream stream(output);
  for (std::string text; std::getline(stream, text);) {
    json line = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("check")) continue;
    const auto same = std::find_if(lines.begin(), lines.end(),
                                   [&line](const json& other) { return name_of(other) == name_of(line); });
    if (same == lines.end()) {
      lines.push_back(std::move(line));
    } else {
      *same = std::move(line);
    }
  }
  return lines;
}

/// Of ranks that did not come to the end.
Finding judge_end(const posix::Ended& ended, const std::vector<json>& lines, std::chrono::seconds limit) {
  const auto begun =
      std::find_if(lines.begin(), lines.end(), [](const json& line) { return line.value("state", "") == "begun"; });
  const std::string what = begun == lines.end() ? "mpi" : name_of(*begun);
  const std::string words = ended.errors.empty() ? "" : ": " + one_line(ended.errors, kWords);
  const std::string begin =
      begun == lines.end() ? "two ranks under mpirun " : "two ranks under mpirun got as far as this and ";
  const char* hint = what == "mpi" ? kMpiHint : kGpuHint;
  if (!ended.in_time) {
    return {Health::problem, what,
            begin + "did not end within " + duration_text(static_cast<double>(limit.count())) + words, hint};
  }
  return {Health::problem, what, begin + "ended with code " + std::to_string(ended.exit_code) + words, hint};
}

}  // namespace

std::vector<Finding> judge_ranks(const posix::Ended& ended, std::chrono::seconds limit) try {
  std::vector<Finding> findings;
  const std::vector<json> lines = last_lines(ended.output);
  int driver = 0;
  for (const json& line : lines) {
    if (line.value("state", "") == "begun") continue;
    const std::string check = line["check"];
    if (check == "mpi") findings.push_back(judge_mpi(line));
    if (check == "gpus") {
      driver = line.value("driver", 0);
      findings.push_back(judge_gpus(line));
    }
    if (check == "gpu") findings.push_back(judge_gpu(line, driver));
    if (check == "nccl") findings.push_back(judge_nccl(line));
  }
  if (!ended.in_time || ended.exit_code != 0 || findings.empty()) findings.push_back(judge_end(ended, lines, limit));
  return findings;
} catch (const json::exception& error) {
  return {{Health::problem, "mpi", std::string("reelfarm-ranks said something else than expected: ") + error.what(),
           "use programs of one version"}};
}

std::vector<Finding> check_ranks(std::vector<std::string> launcher, const std::filesystem::path& ranks,
                                 std::chrono::seconds limit) try {
  launcher.insert(launcher.end(), {"-n", "2", ranks.string(), "--self-test"});
  return judge_ranks(posix::run_program({.words = std::move(launcher), .limit = limit}), limit);
} catch (const std::system_error& error) {
  return {{Health::problem, "mpi", error.what(), kMpiHint}};
}

}  // namespace reelfarm::cli
