#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::queue {

/// A point in time by the Redis server's clock, to the millisecond. The epoch itself means "not yet".
using ServerTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// submitted: in the inbox. queued: accepted, nothing claimed yet. running: a task has been claimed.
/// paused: by an operator. held: waits for another job (--after). done, failed, cancelled: terminal.
enum class JobState { submitted, queued, running, paused, held, done, failed, cancelled };

/// How an input image is brought to the video's aspect ratio.
enum class ImageFit { crop, stretch, pad };

/// What is kept once the video is published: the video only; also what a reroll needs, for a time; everything.
enum class Keep { final, reroll, all };

/// An input image by content: the file is DATA/inputs/<sha256>.
struct ImageInput {
  std::string sha256;  ///< 64 lower-case hexadecimal digits
  std::string kind;    ///< "png", "jpeg" or "webp", as found in the file, not by its name
  std::string name;    ///< the file's name when it was submitted, for people; may be empty
};

/// One request for one video, as asked. What is left empty is filled in by the coordinator from the bundle, so that
/// JobRecord::spec of an accepted job has every field set (JobRecord::asked keeps the request itself).
struct JobSpec {
  std::string prompt;
  std::optional<ImageInput> image;
  ImageFit image_fit = ImageFit::crop;
  std::optional<std::int64_t> frames;  ///< pixel frames asked; set at most one of frames and seconds
  std::optional<double> seconds;
  std::optional<int> width;  ///< pixels of the published video; rendered at the next multiple of 16
  std::optional<int> height;
  std::uint64_t seed = 0;  ///< always set: drawn at submit when the user gave none
  int variant_index = 0;   ///< this job's place among variant_count jobs submitted together
  int variant_count = 1;
  std::optional<int> steps;
  std::optional<double> shift;
  std::optional<double> guidance;
  std::optional<int> window_frames;   ///< 4(w-1)+1 for a window of w latent frames
  std::optional<int> overlap_frames;  ///< 1, 5, 9, 13, ...
  std::string mode = "chain";         ///< chain; keyframe and codenoise are reserved
  std::string bundle;                 ///< bundle name; empty: the farm's only one
  std::string bundle_hash;            ///< set by the coordinator
  std::string dtype;                  ///< empty or "auto": the group's default; see required_dtype()
  std::string name;
  std::string project;
  std::string batch;  ///< name of the jobs that were submitted together, for notifications; empty: it is alone
  std::vector<std::string> tags;
  int priority = 0;        ///< -100..100, higher first
  std::string after;       ///< job id that must be done first; empty: none
  std::string request_id;  ///< a second submit with the same one returns the first job; empty: made at submit
  std::string output;      ///< path or template of the copy asked for; empty: none
  bool overwrite = false;
  Keep keep = Keep::reroll;
  int take = 1;        ///< counts versions of one job (reroll and resubmit make new ones); set by the coordinator
  std::string parent;  ///< the job this is a new take of; empty: none
  std::string
      family;  ///< the first of the takes that this job is one of; set by the coordinator; empty: it has no parent
  std::optional<int>
      from_window;  ///< windows before it are the parent's, this one and those after it are rendered anew

  /// The dtype that a group must calculate in to render this job; empty: any.
  std::string required_dtype() const { return dtype == "auto" ? "" : dtype; }
};

/// Where a rejected, failed or cancelled job stands: why, in words for people.
struct JobError {
  std::string error_class;  ///< "rejected", a FailureClass name, "poison", "corrupt", "cancelled"; empty: no error
  std::string message;
  std::string task;  ///< the task it came from; empty: none
};

/// What Redis knows about one job.
struct JobRecord {
  std::string id;
  JobState state = JobState::submitted;
  JobSpec asked;                   ///< as submitted
  JobSpec spec;                    ///< with every default filled in; equals asked until the job is accepted
  int priority = 0;                ///< now; set_priority changes it
  std::int64_t sequence = 0;       ///< submit order
  int windows = 0;                 ///< planned windows; 0 until accepted
  std::uint64_t bytes_needed = 0;  ///< disk reserved for it, as planned
  std::string fingerprint;         ///< of the first group that claimed an image or window task; empty: none yet
  bool allow_mix = false;          ///< an operator allowed groups of other fingerprints
  std::string waiting;             ///< submitted: why it is not accepted yet, for people; empty: nobody has said
  std::string hold;                ///< why it is held, for people; empty: it is not
  bool paused = false;
  bool after_waived = false;  ///< an operator resumed it while it waited for another job
  bool used = false;          ///< an operator chose this take to be delivered
  std::int64_t revision = 0;  ///< counts its ends and what operators changed; DATA keeps them (state.json)
  bool partial = false;       ///< failed or cancelled; the output, if any, has only the leading windows
  bool closed = false;        ///< terminal and no task of it runs or will run (a partial stitch has ended)
  std::string output;         ///< the published video, relative to DATA; empty: none yet
  JobError error;
  ServerTime submitted{};
  ServerTime accepted{};
  ServerTime started{};   ///< first claim of any of its tasks
  ServerTime finished{};  ///< became done, failed or cancelled
};

/// Names as in `--state` and `--json`. The from_ forms throw CodecError naming the word.
std::string_view to_string(JobState state);
std::string_view to_string(ImageFit fit);
std::string_view to_string(Keep keep);
JobState job_state_from(std::string_view word);
ImageFit image_fit_from(std::string_view word);
Keep keep_from(std::string_view word);

/// True for done, failed and cancelled.
bool is_terminal(JobState state);

/// A fresh job id: "j" and 12 random characters of [0-9a-z] without i, l, o, u. Safe in file names and keys.
std::string make_job_id();

/// True when `text` has the form of a job id; keys are built only from ids that pass.
bool is_job_id(std::string_view text);

}  // namespace reelfarm::queue
