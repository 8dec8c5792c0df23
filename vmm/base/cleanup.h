/* SPDX-License-Identifier: Apache-2.0 */
/* Variables that release what they own at the end of their scope; `steal` hands ownership over. */
#ifndef MICROVM_BASE_CLEANUP_H
#define MICROVM_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *at)
{
    free(*(void **)at);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd); /* never retried: on Linux the descriptor is closed, whatever close() returns */
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void cleanup_closedir(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

#define AUTO_FREE     __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE    __attribute__((cleanup(cleanup_close)))
#define AUTO_FCLOSE   __attribute__((cleanup(cleanup_fclose)))
#define AUTO_CLOSEDIR __attribute__((cleanup(cleanup_closedir)))

/* Hands over what an AUTO_FREE or AUTO_FCLOSE variable owns. */
#define steal_pointer(variable)                                                                    \
    ({                                                                                             \
        __typeof__(variable) stolen_ = (variable);                                                 \
        (variable) = NULL;                                                                         \
        stolen_;                                                                                   \
    })

/* Hands over the descriptor that an AUTO_CLOSE variable owns. */
static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
