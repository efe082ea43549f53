#pragma once

#include <filesystem>

#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// Removes the files of a job that forget() has taken out of the queue, and then the mark that it left there. First of
/// all job.json takes another name, which needs no room on a full disk: from then on the job cannot come back from
/// DATA, whatever Redis loses. May be killed anywhere and done again, by several at once. Throws
/// artifacts::StorageError, queue::DataFolderError for a video outside of DATA, and queue::Error.
void remove_files(queue::JobStore& store, const queue::DataFolder& data, const queue::Removal& removal);

/// Removes a file, or a folder with all that is in it; others may be doing the same, or still
/// write something there. Throws artifacts::StorageError.
void remove_tree(const std::filesystem::path& path);

/// Ends the removals that were interrupted; one that fails is logged and stays. Returns how many ended.
int finish_removals(queue::JobStore& store, const queue::DataFolder& data);

}  // namespace reelfarm::coordinator
