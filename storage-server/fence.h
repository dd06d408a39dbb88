/* What the node gives up by itself once its directory is open: every file but its data, new
 * programs and processes. Before the first thread is started, since Landlock binds threads one by
 * one. */
#pragma once

/* Logs what of it works here; nothing of it is needed to serve. */
void fence_in(const char *data);
