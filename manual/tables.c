#include "manual/tables.h"

#include "agent/launcher/manual.h"
#include "agent/manual.h"
#include "master/manual.h"
#include "master/master_metrics.h"
#include "storage-server/manual.h"
#include "storage-server/measures.h"

const struct manual *const manuals[] = {&master_manual, &agent_manual, &launcher_manual,
                                        &node_manual};
const size_t manual_count = sizeof manuals / sizeof manuals[0];

const struct metric_table metric_tables[] = {
    {"grid-master",    "No metric is labelled by agent or file.", master_metrics,
     &master_metric_count                                                                       },
    {"storage-server", "Each node serves its own.",               measures,       &measure_count},
};
const size_t metric_table_count = sizeof metric_tables / sizeof metric_tables[0];
