#include "objects/function.h"

#include <busbar/object.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/object.h"
#include "objects/outcome.h"
#include "protocol/name.h"

enum {
    QUOTE_SIZE = 160,
};

struct functions {
    struct function *first;
};

/* What is known of a method that somebody wants a pointer of. */
struct wanted {
    struct busbar_object *object;
    const char *method;
    struct signature signature;
    void *address; /* of a library's function */
    bool described;
};

static void function_destroy(struct function *function)
{
    if (function->closure != NULL)
        ffi_closure_free(function->closure);
    for (size_t i = 0; i < SIGNATURE_ITEMS_MAX; i++)
        outcome_slots_destroy(&function->slots[i]);
    free(function->method);
    free(function);
}

void functions_destroy(struct functions **functions)
{
    if (*functions == NULL)
        return;
    struct functions *gone = STEAL(*functions);
    while (gone->first != NULL) {
        struct function *function = gone->first;
        gone->first = function->next;
        function_destroy(function);
    }
    free(gone);
}

/* Making ------------------------------------------------------------------------------------- */

static bool is_number(const struct signature_item *item)
{
    return item->type <= SIGNATURE_FLOAT;
}

static bool is_bytes(const struct signature_item *item)
{
    return item->type == SIGNATURE_BYTES || item->type == SIGNATURE_BYTES32;
}

/* Numbers in and at most one number out: any bits of the right size will do. */
static bool is_plain(const struct signature *signature)
{
    for (size_t i = 0; i < signature->argument_count; i++) {
        if (!is_number(&signature->arguments[i]))
            return false;
    }
    return signature->result_count == signature->returns &&
           (!signature->returns || is_number(&signature->results[0]));
}

static void find_places(struct function *function)
{
    const struct signature *signature = &function->signature;
    size_t at = signature->argument_count;
    for (size_t i = 0; i < signature->argument_count; i++)
        at += is_bytes(&signature->arguments[i]);
    function->results_at = at;
    function->places_at = at + (signature->returns && is_bytes(&signature->results[0]));
}

static bool is_kept(const struct signature_item *result)
{
    return !is_number(result) && !result->owned && result->type != SIGNATURE_VALUE;
}

static bool make_slots(struct function *function)
{
    const struct signature *signature = &function->signature;
    for (size_t i = 0; i < signature->result_count; i++) {
        if (is_kept(&signature->results[i]) && !outcome_slots_init(&function->slots[i]))
            return false;
    }
    return true;
}

static bool make_code(struct function *function)
{
    function->closure = ffi_closure_alloc(sizeof *function->closure, &function->code);
    return function->closure != NULL && native_prepare(&function->native, &function->signature) &&
           ffi_prep_closure_loc(function->closure, &function->native.cif, function_enter, function,
                                function->code) == FFI_OK;
}

static struct function *function_new(const struct wanted *wanted)
{
    struct function *function = calloc(1, sizeof *function);
    if (function == NULL)
        return NULL;
    function->object = wanted->object;
    function->signature = wanted->signature;
    function->address = wanted->address;
    function->plain = function->address != NULL && is_plain(&function->signature);
    function->method = strdup(wanted->method);
    find_places(function);
    if (function->method != NULL && make_slots(function) && make_code(function))
        return function;
    function_destroy(function);
    return NULL;
}

/* The pointers of an object, with its lock held -------------------------------------------------- */

static struct function *find_described(const struct busbar_object *object, const char *method)
{
    struct function *function = object->functions == NULL ? NULL : object->functions->first;
    while (function != NULL && (!function->described || strcmp(function->method, method) != 0))
        function = function->next;
    return function;
}

static struct function *find_same(const struct wanted *wanted)
{
    const struct functions *functions = wanted->object->functions;
    struct function *function = functions == NULL ? NULL : functions->first;
    while (function != NULL && (strcmp(function->method, wanted->method) != 0 ||
                                strcmp(function->signature.text, wanted->signature.text) != 0))
        function = function->next;
    return function;
}

static struct function *add(const struct wanted *wanted)
{
    struct busbar_object *object = wanted->object;
    if (object->functions == NULL)
        object->functions = calloc(1, sizeof *object->functions);
    if (object->functions == NULL)
        return NULL;
    struct function *function = function_new(wanted);
    if (function == NULL)
        return NULL;
    function->next = object->functions->first;
    object->functions->first = function;
    return function;
}

/* The pointer for what is wanted: there already, or made. */
static void *get(const struct wanted *wanted)
{
    struct busbar_object *object = wanted->object;
    fork_lock_take(&object->functions_lock);
    struct function *function = wanted->described ? find_described(object, wanted->method) : NULL;
    if (function == NULL)
        function = find_same(wanted);
    if (function == NULL)
        function = add(wanted);
    if (function != NULL && wanted->described)
        function->described = true;
    void *code = function != NULL ? function->code : NULL;
    fork_lock_give(&object->functions_lock);
    if (code == NULL)
        busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: no memory for a function pointer",
                    object_name(object));
    else
        outcome_ok();
    return code;
}

/* Signatures --------------------------------------------------------------------------------- */

static bool refuse(enum busbar_status status, const struct wanted *wanted, const char *text)
{
    busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s", object_name(wanted->object), text);
    return false;
}

/* Where there is no object because it was not found, the error that says so stays. */
static bool check_wanted(const struct wanted *wanted)
{
    if (wanted->object == NULL && busbar_last_status() != BUSBAR_OK)
        return false;
    if (wanted->object == NULL || wanted->method == NULL) {
        outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                          "a function pointer needs an object and a method");
        return false;
    }
    size_t size = strlen(wanted->method);
    if (name_is_method(wanted->method, size))
        return true;
    char quoted[QUOTE_SIZE];
    busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "%s: %s cannot be the name of a method",
                object_name(wanted->object), quote(quoted, sizeof quoted, wanted->method, size));
    return false;
}

static bool parse(struct wanted *wanted, const char *text)
{
    char reason[SIGNATURE_REASON_SIZE];
    return signature_parse(&wanted->signature, text, reason) ||
           refuse(BUSBAR_BAD_REQUEST, wanted, reason);
}

static bool no_method(const struct wanted *wanted)
{
    busbar_fail(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "%s: there is no method %s",
                object_name(wanted->object), wanted->method);
    return false;
}

/* What is known without asking anybody: false for a failure; an empty text if nothing is. */
static bool find_known(struct wanted *wanted)
{
    struct busbar_object *object = wanted->object;
    const struct object_class *class = object->class;
    wanted->signature.text[0] = '\0';
    if (class->address != NULL) {
        const struct signature *signature = NULL;
        wanted->address = class->address(object, wanted->method, &signature);
        if (wanted->address == NULL)
            return no_method(wanted);
        wanted->signature = *signature;
        return true;
    }
    struct object_method method;
    if (class->find != NULL && class->find(object, wanted->method, &method) &&
        method.signature != NULL && method.signature[0] != '\0')
        return parse(wanted, method.signature);
    return true;
}

struct question {
    struct wanted *wanted;
    size_t methods; /* that were told of */
    bool found;
    bool refused; /* what was said is no signature */
    char reason[SIGNATURE_REASON_SIZE];
};

static bool answer(void *context, const struct object_method *method)
{
    struct question *question = context;
    question->methods++;
    question->found = strcmp(method->name, question->wanted->method) == 0;
    if (question->found && method->signature != NULL && method->signature[0] != '\0')
        question->refused = !signature_parse(&question->wanted->signature, method->signature,
                                             question->reason);
    return !question->found;
}

/* Asks the object, which may ask the bus. */
static bool ask(struct wanted *wanted)
{
    struct question question = {.wanted = wanted};
    if (object_describe(wanted->object, 0, answer, &question) != BUSBAR_OK)
        return false;
    if (question.refused)
        return refuse(BUSBAR_BAD_REQUEST, wanted, question.reason);
    if (question.methods > 0 && !question.found)
        return no_method(wanted);
    if (wanted->signature.text[0] != '\0')
        return true;
    busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "%s: nobody says the signature of %s",
                object_name(wanted->object), wanted->method);
    return false;
}

static void *made_before(const struct wanted *wanted, struct signature *ret)
{
    fork_lock_take(&wanted->object->functions_lock);
    const struct function *function = find_described(wanted->object, wanted->method);
    void *code = function != NULL ? function->code : NULL;
    if (function != NULL && ret != NULL)
        *ret = function->signature;
    fork_lock_give(&wanted->object->functions_lock);
    return code;
}

void *busbar_function(struct busbar_object *object, const char *method)
{
    struct wanted wanted = {.object = object, .method = method, .described = true};
    if (!check_wanted(&wanted))
        return NULL;
    void *code = made_before(&wanted, NULL);
    if (code != NULL) {
        outcome_ok();
        return code;
    }
    if (!find_known(&wanted) || (wanted.signature.text[0] == '\0' && !ask(&wanted)))
        return NULL;
    return get(&wanted);
}

void *busbar_function_as(struct busbar_object *object, const char *method, const char *signature)
{
    struct wanted wanted = {.object = object, .method = method};
    if (!check_wanted(&wanted))
        return NULL;
    struct wanted expected = wanted;
    if (signature == NULL) {
        refuse(BUSBAR_BAD_ARGUMENT, &wanted, "a function pointer needs a signature");
        return NULL;
    }
    if (!parse(&expected, signature) || !find_known(&wanted))
        return NULL;
    if (wanted.signature.text[0] == '\0')
        made_before(&wanted, &wanted.signature);
    if (wanted.signature.text[0] == '\0')
        return get(&expected);
    if (signature_same_type(&wanted.signature, &expected.signature))
        return get(&wanted);
    busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                "%s: the signature of %s is \"%s\", not \"%s\"", object_name(object), method,
                wanted.signature.text, expected.signature.text);
    return NULL;
}
