/* Settings of an application as code sets, copies and compares them; the tables know nothing of it. */
#include "app/settings.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/broker_list.h"

static void brokers_free(struct broker_settings *brokers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(brokers[i].endpoint);
        free(brokers[i].embed);
    }
    free(brokers);
}

static void brokers_put(struct app_settings *settings, struct broker_settings *brokers,
                        size_t count)
{
    brokers_free(settings->brokers, settings->broker_count);
    settings->brokers = brokers;
    settings->broker_count = count;
}

bool app_settings_set_broker(struct app_settings *settings, const char *endpoint, bool embed)
{
    struct broker_settings *broker = calloc(1, sizeof *broker);
    char *copy = strdup(endpoint);
    if (broker == NULL || copy == NULL) {
        free(broker);
        free(copy);
        return false;
    }
    *(embed ? &broker->embed : &broker->endpoint) = copy;
    brokers_put(settings, broker, 1);
    return true;
}

static bool set_brokers(struct app_settings *settings, const char *const *endpoints, size_t count)
{
    struct broker_settings *brokers = calloc(count + 1, sizeof *brokers);
    bool done = brokers != NULL;
    for (size_t i = 0; done && i < count; i++) {
        brokers[i].endpoint = strdup(endpoints[i]);
        done = brokers[i].endpoint != NULL;
    }
    if (done)
        brokers_put(settings, brokers, count);
    else if (brokers != NULL)
        brokers_free(brokers, count);
    return done;
}

bool app_settings_set_brokers(struct app_settings *settings, const char *const *endpoints)
{
    size_t count = 0;
    while (endpoints[count] != NULL)
        count++;
    return set_brokers(settings, endpoints, count);
}

bool app_settings_set_default_brokers(struct app_settings *settings)
{
    struct broker_list list;
    const char *named = getenv("BUSBAR_BROKER");
    const char *text = named != NULL && *named != '\0' ? named : BUSBAR_DEFAULT_BROKER;
    enum busbar_status status = broker_list_init(&list, text);
    if (status == BUSBAR_BAD_ARGUMENT)
        return app_settings_set_broker(settings, text, false);
    bool done = status == BUSBAR_OK && set_brokers(settings, list.endpoints, list.count);
    broker_list_fini(&list);
    return done;
}

const struct broker_settings *app_settings_embed(const struct app_settings *settings)
{
    bool embeds = settings->broker_count == 1 && settings->brokers[0].embed != NULL;
    return embeds ? &settings->brokers[0] : NULL;
}

/* Exports ------------------------------------------------------------------------------------- */

void export_settings_fini(struct export_settings *settings)
{
    for (size_t i = 0; i < settings->tag_count; i++) {
        free(settings->tags[i].name);
        free(settings->tags[i].value);
    }
    free(settings->tags);
    free(settings->name);
    free(settings->object);
    free(settings->version);
    free(settings->balance);
    *settings = (struct export_settings){0};
}

static bool copy_text(char **ret, const char *text)
{
    *ret = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret != NULL;
}

static bool copy_tags(struct export_settings *ret, const struct export_settings *settings)
{
    if (settings->tag_count == 0)
        return true;
    ret->tags = calloc(settings->tag_count, sizeof *ret->tags);
    if (ret->tags == NULL)
        return false;
    ret->tag_count = settings->tag_count;
    for (size_t i = 0; i < settings->tag_count; i++) {
        if (!copy_text(&ret->tags[i].name, settings->tags[i].name) ||
            !copy_text(&ret->tags[i].value, settings->tags[i].value))
            return false;
    }
    return true;
}

bool export_settings_copy(struct export_settings *ret, const struct export_settings *settings)
{
    *ret = (struct export_settings){
        .instances = settings->instances,
        .threads = settings->threads,
        .credit = settings->credit,
        .weight = settings->weight,
        .stall_ms = settings->stall_ms,
    };
    if (copy_text(&ret->name, settings->name) && copy_text(&ret->object, settings->object) &&
        copy_text(&ret->version, settings->version) &&
        copy_text(&ret->balance, settings->balance) && copy_tags(ret, settings))
        return true;
    export_settings_fini(ret);
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool export_settings_equal(const struct export_settings *a, const struct export_settings *b)
{
    bool equal = same_text(a->name, b->name) && same_text(a->object, b->object) &&
                 same_text(a->version, b->version) && a->tag_count == b->tag_count &&
                 a->instances == b->instances && a->threads == b->threads &&
                 a->credit == b->credit && a->weight == b->weight && a->stall_ms == b->stall_ms &&
                 same_text(a->balance, b->balance);
    for (size_t i = 0; equal && i < a->tag_count; i++)
        equal = same_text(a->tags[i].name, b->tags[i].name) &&
                same_text(a->tags[i].value, b->tags[i].value);
    return equal;
}
