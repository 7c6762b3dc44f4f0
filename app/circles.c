/* Looks for circles in the graph of objects and exports: a call that entered one would never end. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/references.h"
#include "base/cleanup.h"
#include "objects/pool.h"
#include "objects/proxy.h"

/* Nodes of the graph: the objects of a wiring by their index, then its exports. */
enum {
    NOWHERE = -1, /* no node of the graph */
    NO_MORE = -2,
    POOLS_DEEP_MAX = 64, /* pools inside each other, since a call goes down all of them */
};

enum colour {
    WHITE, /* not seen */
    GREY,  /* on the way from the start to here */
    BLACK, /* done with */
};

struct step {
    size_t node;
    size_t next; /* which of its arrows comes next */
};

struct walk {
    const struct wiring *wiring;
    const struct settings_node *root;
    struct settings_errors *errors;
    struct step *way;
    size_t length;
    unsigned char *colours;
    unsigned *heights; /* pools from an object down, along its longest way */
};

static long object_node(const struct wiring *wiring, const struct wiring_object *entry)
{
    return entry != NULL ? (long)(entry - wiring->objects) : NOWHERE;
}

static long find_object(const struct wiring *wiring, const struct busbar_object *object)
{
    for (size_t i = 0; i < wiring->object_count; i++) {
        if (wiring->objects[i].object == object)
            return (long)i;
    }
    return NOWHERE;
}

/* The member of a pool: as the file says while that is read, else as the pool says. */
static long member_at(const struct wiring *wiring, const struct wiring_object *entry, size_t index)
{
    size_t count;
    if (entry->node != NULL) {
        const struct text_settings *ids = pool_ids(entry->object, &count);
        if (index >= count)
            return NO_MORE;
        return object_node(wiring, wiring_find(wiring, ids[index].text));
    }
    CLEANUP(busbar_object_destroy)
    struct busbar_object *member = entry->object->class->member(entry->object, index);
    return member == NULL ? NO_MORE : find_object(wiring, member);
}

static bool is_broker_of(const struct wiring *wiring, const char *endpoint)
{
    const struct app_settings *settings = &wiring->settings;
    for (size_t i = 0; i < settings->broker_count; i++) {
        const struct broker_settings *broker = &settings->brokers[i];
        const char *own = broker->embed != NULL ? broker->embed : broker->endpoint;
        if (own != NULL && strcmp(own, endpoint) == 0)
            return true;
    }
    return false;
}

/* Does a proxy call, among others, where the exports are? It may name the same brokers itself. */
static bool calls_own_broker(const struct wiring *wiring, const struct busbar_object *object)
{
    const char *const *endpoints = proxy_brokers(object);
    bool own = proxy_uses_default(object);
    for (size_t i = 0; endpoints != NULL && endpoints[i] != NULL && !own; i++)
        own = is_broker_of(wiring, endpoints[i]);
    return own;
}

/* The export of this application that a proxy calls. */
static long service_at(const struct wiring *wiring, const struct busbar_object *object,
                       size_t index)
{
    const char *service = calls_own_broker(wiring, object) ? proxy_service(object) : NULL;
    if (service == NULL || index > 0)
        return NO_MORE;
    for (size_t i = 0; i < wiring->export_count; i++) {
        const char *name = wiring->exports[i].settings.name;
        if (name != NULL && strcmp(name, service) == 0)
            return (long)(wiring->object_count + i);
    }
    return NOWHERE;
}

/* Where an arrow of a node leads. */
static long arrow(const struct wiring *wiring, size_t node, size_t index)
{
    if (node >= wiring->object_count) {
        const char *id = wiring->exports[node - wiring->object_count].settings.object;
        return index > 0 || id == NULL ? NO_MORE : object_node(wiring, wiring_find(wiring, id));
    }
    const struct wiring_object *entry = &wiring->objects[node];
    if (entry->object == NULL)
        return NO_MORE;
    if (entry->object->class->member != NULL)
        return member_at(wiring, entry, index);
    return service_at(wiring, entry->object, index);
}

static void print_node(const struct wiring *wiring, size_t node, FILE *out)
{
    if (node < wiring->object_count)
        fputs(wiring->objects[node].id, out);
    else
        fprintf(out, "\"%s\"", wiring->exports[node - wiring->object_count].settings.name);
}

/* "a -> b -> a", for free(): the way from `first` to its end, and back to `start`. */
static char *chain_text(const struct walk *walk, size_t first, size_t start)
{
    char *text = NULL;
    size_t size = 0;
    size_t count = walk->length - first;
    assert(count > 0); /* a circle has at least one step */
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i <= count; i++) {
        fputs(i == 0 ? "" : " -> ", out);
        print_node(walk->wiring, walk->way[first + (start - first + i) % count].node, out);
    }
    fclose(out);
    return text;
}

/* The step at the first of the exports that are on the way from step `first`; its end: none is. */
static size_t find_export(const struct walk *walk, size_t first)
{
    size_t found = walk->length;
    for (size_t i = first; i < walk->length; i++) {
        if (walk->way[i].node >= walk->wiring->object_count &&
            (found == walk->length || walk->way[i].node < walk->way[found].node))
            found = i;
    }
    return found;
}

/* Complains of a circle whose last arrow leads from the end of the way back to step `first`. Told
 * from its first export, if there is one, since that is what has to go. */
static void refuse_circle(const struct walk *walk, size_t first)
{
    const struct wiring *wiring = walk->wiring;
    size_t start = find_export(walk, first);
    bool pools = start == walk->length;
    CLEANUP(cleanup_free) char *chain = chain_text(walk, first, pools ? first : start);
    if (chain == NULL) {
        settings_node_complain(walk->errors, NULL, "out of memory");
    } else if (pools) {
        const struct step *last = &walk->way[walk->length - 1];
        const struct settings_node *map = wiring->objects[last->node].node;
        settings_node_complain(walk->errors, map != NULL ? pool_id_node(map, last->next - 1) : NULL,
                               "pools would call each other for ever: %s", chain);
    } else {
        size_t index = walk->way[start].node - wiring->object_count;
        const struct settings_node *node = export_node(walk->root, index);
        settings_node_complain(walk->errors, settings_node_find(node, "object"),
                               "the export would call itself for ever: %s", chain);
    }
}

static size_t position_of(const struct walk *walk, size_t node)
{
    size_t position = 0;
    while (walk->way[position].node != node)
        position++;
    return position;
}

/* The last of the way is a pool and has what is below the node, and itself. */
static void grow(const struct walk *walk, size_t node)
{
    const struct step *step = &walk->way[walk->length - 1];
    unsigned height = walk->heights[node] + 1;
    if (step->node >= walk->wiring->object_count || node >= walk->wiring->object_count ||
        height <= walk->heights[step->node])
        return;
    walk->heights[step->node] = height;
    if (height != POOLS_DEEP_MAX + 1)
        return; /* those above it are too high for the same reason */
    const struct settings_node *map = walk->wiring->objects[step->node].node;
    settings_node_complain(walk->errors, map != NULL ? pool_id_node(map, step->next - 1) : NULL,
                           "%s: more than %d pools would be inside each other",
                           walk->wiring->objects[step->node].id, POOLS_DEEP_MAX);
}

static void enter(struct walk *walk, size_t node)
{
    walk->colours[node] = GREY;
    walk->way[walk->length++] = (struct step){.node = node};
}

/* One arrow further. Depth first without recursion: a file may hold a chain of thousands. */
static void advance(struct walk *walk)
{
    struct step *step = &walk->way[walk->length - 1];
    long to = arrow(walk->wiring, step->node, step->next++);
    if (to == NO_MORE) {
        size_t done = step->node;
        walk->colours[done] = BLACK;
        walk->length--;
        if (walk->length > 0)
            grow(walk, done);
    } else if (to != NOWHERE && walk->colours[to] == GREY) {
        refuse_circle(walk, position_of(walk, (size_t)to));
    } else if (to != NOWHERE && walk->colours[to] == WHITE) {
        enter(walk, (size_t)to);
    } else if (to != NOWHERE) {
        grow(walk, (size_t)to);
    }
}

void references_check_circles(const struct wiring *wiring, const struct settings_node *root,
                              struct settings_errors *errors)
{
    size_t count = wiring->object_count + wiring->export_count;
    CLEANUP(cleanup_free) struct step *way = calloc(count + 1, sizeof *way);
    CLEANUP(cleanup_free) unsigned char *colours = calloc(count + 1, 1);
    CLEANUP(cleanup_free) unsigned *heights = calloc(count + 1, sizeof *heights);
    struct walk walk = {wiring, root, errors, way, 0, colours, heights};
    if (way == NULL || colours == NULL || heights == NULL) {
        settings_node_complain(errors, NULL, "out of memory");
        return;
    }
    for (size_t node = 0; node < count; node++) {
        if (colours[node] == WHITE)
            enter(&walk, node);
        while (walk.length > 0)
            advance(&walk);
    }
}
