/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-line messages to a person (standard error) or to a file, "microvm: level: text". A message
 * that a guest can cause goes through log_limited(), so that a guest cannot flood the log.
 */
#ifndef MICROVM_BASE_LOG_H
#define MICROVM_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sends messages of at most `level` to file descriptor `fd` (not owned). Default: 2, WARNING. */
void log_configure(int fd, enum log_level level);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A warning that is written at most LOG_LIMIT times per `counter`; *counter starts at 0. */
#define LOG_LIMIT 8
void log_limited(unsigned *counter, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
