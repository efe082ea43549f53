#include "tests/cli/job_farm.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

namespace reelfarm::test {

using nlohmann::json;

CommandLine* JobFarm::line_ = nullptr;

void JobFarm::start_farm(const std::vector<std::string>& more, const std::function<void(CommandLine&)>& prepare) {
  line_ = new CommandLine();
  std::filesystem::create_directories(line_->path("weights"));
  std::filesystem::create_directories(line_->path("published"));
  if (prepare) prepare(*line_);
  std::vector<std::string> words = {"up",
                                    "--detach",
                                    "--data",
                                    data().string(),
                                    "--bundle",
                                    line_->path("weights").string(),
                                    "--output-root",
                                    line_->path("published").string()};
  words.insert(words.end(), more.begin(), more.end());
  const Ended up = run(words);
  ASSERT_EQ(up.code, 0) << up.errors;
  line_->environment["REELFARM_DATA"] = data().string();
}

void JobFarm::TearDownTestSuite() {
  run({"down", "--now"});
  delete line_;
}

std::filesystem::path JobFarm::data() {
  return line_->path("data");
}

Ended JobFarm::run(const std::vector<std::string>& words) {
  return line_->run(words);
}

json JobFarm::enqueue(const std::vector<std::string>& more) {
  std::vector<std::string> words = {"enqueue", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const Ended ended = run(words);
  EXPECT_EQ(ended.code, 0) << ended.errors;
  return json::parse(ended.output, nullptr, false);
}

json JobFarm::status(const std::string& job) {
  const Ended ended = run({"status", "--json", job});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  return json::parse(ended.output, nullptr, false);
}

json JobFarm::show(const std::string& job) {
  const Ended ended = run({"show", "--json", job});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  return json::parse(ended.output, nullptr, false);
}

bool JobFarm::reaches(const std::string& job, const std::string& state) {
  return eventually([&] { return status(job).at("state") == state; });
}

std::size_t JobFarm::jobs_there() {
  return json_lines(run({"status", "--limit", "0", "--json"}).output).size();
}

std::vector<json> json_lines(const std::string& text) {
  std::vector<json> documents;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) documents.push_back(json::parse(line));
  return documents;
}

}  // namespace reelfarm::test
