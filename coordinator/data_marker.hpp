#pragma once

#include <string>

#include "queue/data_folder.hpp"

namespace reelfarm::coordinator {

/// Makes the folders of DATA and its marker for `farm_id`, or checks the marker that is there. Throws
/// queue::DataFolderError (another farm's folder) and artifacts::StorageError (missing rights, disk full).
void claim_data_folder(const queue::DataFolder& data, const std::string& farm_id);

}  // namespace reelfarm::coordinator
