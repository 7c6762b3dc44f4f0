#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    int number;
    struct list link;
};

static int number_of(const struct list *node)
{
    return CONTAINER_OF(node, struct item, link)->number;
}

static void assert_numbers(const struct list *list, const int *numbers, size_t count)
{
    const struct list *node = list->next;
    for (size_t i = 0; i < count; i++, node = node->next) {
        assert_ptr_not_equal(node, list);
        assert_int_equal(number_of(node), numbers[i]);
        assert_ptr_equal(node->next->previous, node);
        assert_ptr_equal(node->previous->next, node);
    }
    assert_ptr_equal(node, list);
}

static void fill(struct list *list, struct item *items, int count)
{
    list_init(list);
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        list_append(list, &items[i].link);
    }
}

static void a_new_list_is_empty(void **state)
{
    (void)state;
    struct list list;
    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_first(&list));
    assert_null(LIST_FIRST(&list, struct item, link));
}

static void nodes_stand_in_the_order_of_appending(void **state)
{
    (void)state;
    struct list list;
    struct item items[4];
    fill(&list, items, 4);
    assert_numbers(&list, (const int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(list_first(&list), &items[0].link);
    assert_ptr_equal(LIST_FIRST(&list, struct item, link), &items[0]);
}

static void removing_closes_the_ring(void **state)
{
    (void)state;
    struct list list;
    struct item items[4];
    fill(&list, items, 4);
    list_remove(&items[1].link);
    assert_numbers(&list, (const int[]){0, 2, 3}, 3);
    list_remove(&items[0].link);
    list_remove(&items[3].link);
    assert_numbers(&list, (const int[]){2}, 1);
    list_remove(&items[2].link);
    assert_true(list_is_empty(&list));
}

static void removing_twice_is_harmless(void **state)
{
    (void)state;
    struct list list;
    struct item items[3];
    fill(&list, items, 3);
    list_remove(&items[1].link);
    list_remove(&items[2].link);
    assert_true(list_is_empty(&items[1].link));
    list_remove(&items[1].link);
    assert_numbers(&list, (const int[]){0}, 1);
}

static void the_current_node_may_be_removed_while_walking(void **state)
{
    (void)state;
    struct list list;
    struct item items[6];
    int sum = 0;
    fill(&list, items, 6);
    LIST_EACH(node, &list) {
        sum += number_of(node);
        if (number_of(node) % 2 == 0)
            list_remove(node);
    }
    assert_int_equal(sum, 15);
    assert_numbers(&list, (const int[]){1, 3, 5}, 3);
    LIST_EACH(node, &list) {
        list_remove(node);
    }
    assert_true(list_is_empty(&list));
    LIST_EACH(node, &list) {
        fail();
    }
}

static void a_removed_node_may_be_appended_again(void **state)
{
    (void)state;
    struct list list;
    struct item items[3];
    fill(&list, items, 3);
    list_remove(&items[0].link);
    list_append(&list, &items[0].link);
    assert_numbers(&list, (const int[]){1, 2, 0}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(nodes_stand_in_the_order_of_appending),
        cmocka_unit_test(removing_closes_the_ring),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(the_current_node_may_be_removed_while_walking),
        cmocka_unit_test(a_removed_node_may_be_appended_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
