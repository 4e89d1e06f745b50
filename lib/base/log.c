#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hg_log_fn callback;
static void *callback_user;

/* Whether HAPGOP_LOG, a list such as "launch,memory", names the topic. */
static bool asked(const char *topic)
{
    const char *list = getenv("HAPGOP_LOG");
    size_t n = strlen(topic);
    while (list && *list) {
        size_t length = strcspn(list, ",");
        if ((length == n && !strncmp(list, topic, n)) || (length == 3 && !strncmp(list, "all", 3))) return true;
        list += length + (list[length] == ',');
    }
    return false;
}

bool hg_log_wanted(const char *topic)
{
    return callback || asked(topic);
}

static void say(const char *topic, const char *format, va_list args)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, args);
    pthread_mutex_lock(&lock);
    if (callback) callback(topic, text, callback_user);
    if (asked(topic)) fprintf(stderr, "hapgop %s: %s\n", topic, text);
    pthread_mutex_unlock(&lock);
}

void hg_log_message(const char *topic, const char *format, ...)
{
    if (!hg_log_wanted(topic)) return;
    va_list args;
    va_start(args, format);
    say(topic, format, args);
    va_end(args);
}

void hg_warn_once(int *said, const char *format, ...)
{
    if (__atomic_exchange_n(said, 1, __ATOMIC_RELAXED)) return;
    va_list args;
    va_start(args, format);
    say("warn", format, args);
    va_end(args);
}

void hg_set_log(hg_log_fn fn, void *user)
{
    pthread_mutex_lock(&lock);
    callback = fn;
    callback_user = user;
    pthread_mutex_unlock(&lock);
}
