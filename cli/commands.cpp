#include <algorithm>

#include "cli/command.hpp"

namespace reelfarm::cli {
namespace {

using Rows = std::vector<OptionRow>;

const Rows kFarm = {
    {"redis", "URL", "from DATA/farm.json",
     "the farm's queue: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], unix:///PATH, or file:///PATH of a file with one "
     "of these"},
    {"data", "DIR", "~/.local/share/reelfarm", "the farm's data folder"},
    {"farm", "NAME", "reelfarm", "name of the farm, where several share one Redis"},
    {"allow-volatile", "", "off", "accept a Redis that keeps nothing on disk"},
    {"config", "FILE", "none", "settings file read before ./reelfarm.ini, ~/.config/reelfarm.ini, /etc/reelfarm.ini"},
    {"help", "", "", "the options of this command"},
};
const OptionRow kJson = {"json", "", "off", "one JSON object (or one a line) on stdout and nothing else"};

const Rows kJob = {
    {"prompt", "TEXT", "required", "what the video shows"},
    {"image", "FILE", "none", "first frame: PNG, JPEG or WebP; copied into the farm at once"},
    {"image-fit", "HOW", "crop", "how the image is brought to the video's shape: crop, stretch or pad"},
    {"seconds", "S", "of the bundle", "length of the video; or --frames"},
    {"frames", "N", "of the bundle", "length of the video in frames, exactly"},
    {"size", "WxH", "of the bundle", "any even size; rendered at the next multiple of 16 and cropped about the centre"},
    {"seed", "N", "drawn", "decides the picture; printed and kept"},
    {"variants", "N", "1", "that many jobs with seeds counting up from the first"},
    {"steps", "N", "of the bundle", "denoise steps"},
    {"shift", "X", "of the bundle", "shift of the flow-match schedule"},
    {"guidance", "G", "of the bundle", "embedded guidance; ignored by a bundle without it"},
    {"window", "FRAMES", "of the bundle", "frames of one model call: 5, 9, 13, ..."},
    {"overlap", "FRAMES", "of the bundle", "frames that neighbouring windows share: 1, 5, 9, 13, ..."},
    {"bundle", "NAME", "the farm's only one", "weights to use, by name (see groups)"},
    {"dtype", "D", "auto", "auto, fp32, bf16, fp8, int8 or w8a8; auto is what the group runs"},
    {"name", "N", "the job id", "name for lists and file names"},
    {"project", "P", "none", "project for lists and file names"},
    {"batch", "B", "drawn with --file and --variants", "name of jobs that a notification is about when all have ended"},
    {"tag", "T", "none", "free mark; may be given again", true},
    {"priority", "-100..100", "0", "higher goes first"},
    {"after", "JOB", "none", "start only when that job is done"},
    {"request-id", "ID", "made", "a second submit with the same id returns the first job"},
    {"output", "PATH", "none",
     "where a copy of the video goes; may hold {project} {name} {seed} {take} {job} {bundle} {variant}; a file that is "
     "there stays and the copy is called _v2"},
    {"overwrite", "", "off", "replace the file that --output names"},
    {"keep", "WHAT", "reroll", "what stays afterwards: final (the video), reroll (windows, for 7 days) or all"},
};

const Rows kBatch = {
    {"file", "JOBS.jsonl", "none",
     "many jobs: one JSON object a line, same keys as the options; all are checked before any is accepted; options "
     "given "
     "beside it fill what a line leaves out"},
};

const Rows kReserved = {
    {"storyboard", "FILE", "none", "not in this version"},
    {"lora", "FILE", "none", "not in this version"},
    {"hold-after", "N", "none", "not in this version"},
    {"mode", "M", "chain", "only chain is in this version"},
};

const Rows kSubmit = {
    {"dry-run", "", "off", "check and say what it would take, queue nothing"},
    {"wait", "", "off", "follow until the end; Ctrl-C detaches and the job goes on"},
    {"accept-timeout", "S", "10", "how long to wait for a coordinator's word"},
    kJson,
};

/// What a farm is told wherever it is started: on this machine or on a cluster.
const Rows kParts = {
    {"device", "D", "auto", "auto, cpu or cuda"},
    {"dtype", "D", "auto",
     "auto, fp32, bf16, fp8 (8-bit products, on GPUs that have them), int8 (8-bit weights) or w8a8 (int8 products, "
     "from "
     "Ampere on); auto is what suits the device"},
    {"max-memory", "SIZE", "all of it",
     "memory of each GPU, such as 16G; weights that do not fit are streamed from host memory"},
    {"mesh", "UxR", "chosen", "ulysses x ring, the split of a group's ranks"},
    {"tiles", "PLAN", "diffusers",
     "how a decode is cut: diffusers, diffusers-spatial (taken where memory is short), medium (quickest by 4 or 8 "
     "GPUs), long, whole or tencent"},
    {"threads", "N", "cores / ranks", "CPU threads of each rank; of up: cores / all ranks"},
    {"hours", "SPANS", "round the clock",
     "times of day at which the groups work, as 20:00-07:00, several with commas between, in their machine's time "
     "zone; outside them they finish their step, give back what they hold, and wait"},
    {"output-root", "DIR", "none", "folder below which the coordinator puts the copies that --output asks for"},
    {"high-water", "PERCENT", "95%", "part of DATA's disk above which no new window is rendered"},
    {"notify", "FILE", "none",
     "who is told that a batch has finished, a job has failed or nothing advances, and how: docs/notifications.md"},
    {"listen", "HOST:PORT", "none",
     "serve the status page, its API and the metrics there; what other machines reach needs --token-file"},
    {"token-file", "FILE", "none", "file with the token of the page: one line, chmod 600"},
    {"log-format", "F", "text", "of the logs of all parts: text, or json, one object a line"},
    {"settle", "S", "60",
     "seconds before a published file that cannot be found or read is made again: a network file system may show it "
     "late"},
};

const Rows kSlurmJob = {
    {"bundle", "DIR", "required", "folder with the weights, on storage that the nodes share"},
    {"nodes", "N", "1", "nodes of each group"},
    {"gpus-per-node", "N", "none", "GPUs that a job asks for on each of its nodes"},
    {"groups-per-job", "N", "one for each GPU",
     "groups that share the GPUs of one job; 1 without GPUs, over several nodes and with srun"},
    {"ranks-per-node", "N", "GPUs / groups of a job, or 1",
     "MPI ranks of a group on each of its nodes; as many as GPUs: one group of them all"},
    {"cpus-per-rank", "N", "of the partition", "cores for each rank"},
    {"time", "TIME", "of the partition", "time limit of each job, as sbatch takes it: 8:00:00"},
    {"drain", "S", "300",
     "so long before the time limit a job finishes its step, gives back what it holds, and goes back into the queue"},
    {"partition", "NAME", "of the cluster", "partition of the jobs"},
    {"account", "NAME", "of the user", "account of the jobs"},
    {"reservation", "NAME", "none", "reservation of the jobs"},
    {"container", "IMAGE", "none", "Apptainer image that the programs are run from, on the nodes"},
    {"stage", "DIR", "none", "folder on the disk of each node that gets a copy of the weights, once per node"},
    {"launcher", "NAME", "mpirun", "what starts the ranks inside the allocation: mpirun, or srun with PMIx"},
};

/// An option whose name means something else as a setting: the window of a reroll is no default for enqueue.
OptionRow of_this_call(OptionRow row) {
  row.only_command_line = true;
  return row;
}

Rows with(Rows first, const Rows& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

Command on_jobs(const std::string& name, const std::string& summary, int (*run)(const Arguments&)) {
  return {name, "JOB...", summary, 1, 1000, with({kJson}, kFarm), run, ""};
}

Command on_jobs_or_all(const std::string& name, const std::string& summary, int (*run)(const Arguments&)) {
  const OptionRow all = {"all", "", "off", "the whole farm instead: jobs keep what they are, new ones wait as well"};
  return {name, "[JOB...]", summary, 0, 1000, with({of_this_call(all), kJson}, kFarm), run, ""};
}

std::vector<Command> all_commands() {
  return {
      {"up", "", "run a farm on this machine: Redis, coordinator, stitcher and worker groups", 0, 0,
       with({{"groups", "N", "GPUs / ranks, at least 1",
              "worker groups; 0: only what groups elsewhere need, Redis, coordinator and stitcher"},
             {"ranks", "N", "1", "MPI ranks of each group"},
             {"bundle", "DIR", "the demo bundle, where there is one", "folder with the weights"},
             {"redis-listen", "HOST[:PORT]", "this machine only",
              "let groups on other machines reach the private Redis under this name; its password is kept in "
              "DATA/redis/password, its address in DATA/farm.json"},
             {"takeover", "S", "0",
              "how long to wait for a farm on the same DATA to end: that of a node that died, or of a job that is "
              "stopping"},
             {"detach", "", "off",
              "go to the background; returns once a group has its weights; reelfarm down stops it"}},
            with(kParts, kFarm)),
       run_up, ""},
      {"down", "", "stop the farm that up --detach left running; returns when every process of it is gone", 0, 0,
       with({{"timeout", "S", "600", "how long running windows may take to finish their step, then they are killed"},
             {"now", "", "off", "kill at once; what ran is rendered again after the next up"}},
            kFarm),
       run_down, ""},
      {"enqueue", "", "submit one job, or many from a file, and say what it takes", 0, 0,
       with(with(kJob, kBatch), with(with(kSubmit, kReserved), kFarm)), run_enqueue, ""},
      {"status", "[JOB...]", "what jobs are doing", 0, 1000,
       with({{"project", "P", "all", "only jobs of that project"},
             {"state", "S", "all",
              "only jobs in that state: submitted, queued, running, paused, held, done, failed, cancelled"},
             {"limit", "N", "50", "newest that many; 0: all"},
             kJson},
            kFarm),
       run_status, ""},
      {"watch", "[JOB...]",
       "bars per window and time left, until the jobs end; puts the copies that --output asked for", 0, 1000,
       with({{"interval", "S", "0.5", "time between two looks"}}, kFarm), run_watch, ""},
      {"show", "JOB", "the whole specification of a job: what was asked, what was decided, its tasks", 1, 1,
       with({kJson}, kFarm), run_show, ""},
      {"logs", "JOB", "what happened to a job, one line a change", 1, 1,
       with({of_this_call({"window", "J", "all", "only that window"}),
             {"follow", "", "off", "stay and print what comes, until the job ends", false, 'f'}},
            kFarm),
       run_logs, ""},
      {"trace", "JOB", "where a job's time went, as a trace that Perfetto and chrome://tracing open", 1, 1,
       with({of_this_call({"output", "FILE", "-", "where it is written; - is stdout"})}, kFarm), run_trace, ""},
      {"why", "JOB", "why a job is where it is and what it waits for, in words", 1, 1, with({kJson}, kFarm), run_why,
       ""},
      on_jobs("cancel", "stop jobs; the windows that are done become a playable file marked partial", run_cancel),
      on_jobs_or_all("pause", "start no new window of these jobs; what runs finishes its step", run_pause),
      on_jobs_or_all("resume", "go on with paused or held jobs", run_resume),
      on_jobs("retry", "let failed or cancelled jobs go on from what is done", run_retry),
      {"resubmit", "JOB...", "render jobs again as new takes, with the same seed and, if asked, changed settings", 1,
       1000,
       with(with({of_this_call({"set", "KEY=VALUE", "none",
                                "change a setting of enqueue, such as steps=8; may be given again", true})},
                 kSubmit),
            kFarm),
       run_resubmit, ""},
      {"reroll", "JOB", "render one window again, and those that depend on it, as a new take beside the old one", 1, 1,
       with(with({of_this_call({"window", "J", "none", "the first window to render anew; or --at"}),
                  of_this_call({"at", "TIME", "none", "the window that shows that time of the video: 7.5, 1:07.5"}),
                  of_this_call({"seed", "N", "drawn", "decides the new windows; printed and kept"})},
                 kSubmit),
            kFarm),
       run_reroll, ""},
      {"takes", "JOB", "the takes of a job; * is the one that is used", 1, 1, with({kJson}, kFarm), run_takes, ""},
      {"use", "JOB", "choose the take that is delivered", 1, 1,
       with({of_this_call({"take", "N", "required", "number of the take"}), kJson}, kFarm), run_use, ""},
      {"set-priority", "JOB P", "change a job's priority, -100 to 100", 2, 2, with({kJson}, kFarm), run_set_priority,
       ""},
      {"report", "", "what the night brought: jobs, speed, trouble by host, and what needs a hand", 0, 0,
       with({of_this_call({"since", "TIME", "12h", "how far to look back: 90m, 12h, 2d"}),
             of_this_call({"html", "", "off", "one page of HTML on stdout, to be mailed or put on a server"}), kJson},
            kFarm),
       run_report, ""},
      {"rm", "JOB...", "remove jobs that are over, and their files", 1, 1000,
       with({of_this_call({"videos", "", "off", "the published videos as well"}), kJson}, kFarm), run_rm, ""},
      {"du", "[JOB...]", "what jobs take on the disk, what is free and what is reserved", 0, 1000, with({kJson}, kFarm),
       run_du, ""},
      {"gc", "", "free what nobody needs: inputs of no job, windows of no task, folders of removed jobs", 0, 0,
       with({{"dry-run", "", "off", "say what would be freed, remove nothing"}, kJson}, kFarm), run_gc, ""},
      {"groups", "", "worker groups and stitchers: what they run on, hold and do", 0, 0, with({kJson}, kFarm),
       run_groups, ""},
      {"drain", "GROUP...", "let groups finish their step and take nothing more", 1, 1000, kFarm, run_drain, ""},
      {"undrain", "GROUP...", "let drained groups take work again", 1, 1000, kFarm, run_undrain, ""},
      {"doctor", "", "check this machine and the farm: what is well, what is not and what to do about it", 0, 0,
       with({of_this_call(
                 {"bundle", "DIR", "none", "read these weights to the end, and see whether they are the farm's"}),
             kJson},
            kFarm),
       run_doctor, ""},
      {"slurm submit", "[-- SBATCH OPTION...]",
       "write DATA/slurm/farm.sbatch and group.sbatch and submit them: Redis, coordinator and stitcher as one job, "
       "worker "
       "groups as an array; options behind -- go to sbatch as they are",
       0, 1000,
       with(with({{"groups", "N", "--groups-per-job", "worker groups in all"},
                  {"at-once", "N", "all", "of these, so many run at a time"},
                  {"idle-exit", "S", "0", "a group ends after so many seconds with nothing to do; 0: it stays"},
                  {"only-groups", "", "off", "the farm itself runs elsewhere, on a login node: reelfarm up --groups 0"},
                  {"dry-run", "", "off", "print the scripts, submit nothing"}},
                 with(kSlurmJob, kParts)),
            kFarm),
       run_slurm_submit, ""},
      {"slurm autoscale", "[-- SBATCH OPTION...]",
       "keep as many groups in Slurm's queue as the farm has work for, none when there is nothing to do", 0, 1000,
       with(with({{"min", "N", "0", "groups at least, while there is work"},
                  {"max", "N", "4, or one job's", "groups at most, running and waiting"},
                  {"worth", "S", "600", "seconds of work that pay for starting one group"},
                  {"every", "S", "30", "time between two looks"},
                  {"idle-exit", "S", "300", "a group ends after so many seconds with nothing to do"},
                  {"once", "", "off", "look once and end, for cron"}},
                 with(kSlurmJob, kParts)),
            kFarm),
       run_slurm_autoscale, ""},
      {"render",
       "...",
       "render one clip or one long video without a queue (reelfarm-render --help)",
       0,
       0,
       {},
       nullptr,
       "reelfarm-render"},
      {"bundle",
       "...",
       "inspect, verify, convert and quantize weights (reelfarm-bundle --help)",
       0,
       0,
       {},
       nullptr,
       "reelfarm-bundle"},
  };
}

}  // namespace

const OptionRow* Command::option(std::string_view wanted) const {
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const OptionRow& row) { return row.name == wanted; });
  return found == options.end() ? nullptr : &*found;
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = all_commands();
  return all;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace reelfarm::cli
