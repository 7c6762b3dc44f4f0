/* Bodies as their users make them, and their way into blobs. */
#include "client-lib/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct busbar_body busbar_body_text(const char *text)
{
    return busbar_body_copied(text, text == NULL ? 0 : strlen(text));
}

static void encoded_free(void *data, void *hint)
{
    (void)hint;
    free(data);
}

enum busbar_status busbar_body_value(struct busbar_body *ret, const struct busbar_value *value)
{
    void *data = NULL;
    size_t size = 0;
    if (ret == NULL)
        return BUSBAR_BAD_ARGUMENT;
    *ret = (struct busbar_body){0};
    enum busbar_status status = busbar_value_encode(value, &data, &size);
    if (status != BUSBAR_OK)
        return status;
    *ret = busbar_body_taken(data, size, encoded_free, NULL);
    ret->encoding = BUSBAR_MESSAGEPACK;
    return BUSBAR_OK;
}

void busbar_body_release(struct busbar_body *body)
{
    if (body == NULL)
        return;
    if (body->free != NULL)
        body->free((void *)(uintptr_t)body->data, body->hint);
    *body = (struct busbar_body){0};
}

struct taken {
    struct blob blob;
    struct busbar_body body;
};

static void taken_release(struct blob *blob)
{
    struct taken *taken = CONTAINER_OF(blob, struct taken, blob);
    busbar_body_release(&taken->body);
    free(taken);
}

static struct blob *taken_blob(struct busbar_body *body)
{
    struct taken *taken = malloc(sizeof *taken);
    if (taken == NULL) {
        busbar_body_release(body);
        return NULL;
    }
    taken->body = *body;
    taken->blob = (struct blob){
        .references = 1, .data = body->data, .size = body->size, .release = taken_release};
    *body = (struct busbar_body){0};
    return &taken->blob;
}

struct blob *body_blob(struct busbar_body *body)
{
    struct blob *owner = body->owner;
    if (body->free != NULL)
        return taken_blob(body);
    if (owner != NULL && owner->data == body->data && owner->size == body->size)
        return blob_ref(owner);
    return blob_copy(body->data, body->size);
}
