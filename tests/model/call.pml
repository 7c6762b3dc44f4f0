/*
 * A model for Spin of what can become of calls: dispatch, worker death, repetition, RETURN, deadlines,
 * a restart of the broker, late replies, resending by the client. `make model` checks it.
 *
 * It stands for broker/call.c (slots and generations), broker/router*.c, and sections 6 and 9 of
 * docs/protocol.md. One client, CALLS calls (those of odd number are idempotent), two workers that take
 * one call each, and a broker with two slots, so that slots are used again at once. Every step below is
 * one thing that can happen, in any order; how often faults happen is bounded by the FAULTS. Time is
 * left out: a deadline may pass at any moment.
 *
 * Checked in every state that can be reached:
 *   one_outcome       a call has exactly one outcome (at most one: in outcome(); one: in proctype end)
 *   right_reply       the reply to a call is what a worker made of that call, and of no other
 *   once              a call that is not idempotent is executed at most once
 *   truthful          a call whose outcome says "not executed" was not, and will not be
 *   ok_is_executed    a call that ended well was executed
 *   three_attempts    no call is given to more than ATTEMPTS workers and lost with them
 *
 * What run.sh leaves out or breaks with -D, to show that the model would notice:
 *   NO_GENERATION_CHECK  the broker finds the call of a reply by its slot alone
 *   NO_EPOCH             the generations of a restarted broker start where they did before
 *   NO_FATE_OF_BEFORE    a client that sent a call again forgets that it was sent before
 *   NO_FATE_OF_ATTEMPTS  the broker takes "not executed" of the last worker for the whole truth
 *   REPEAT_ALL           the broker repeats calls that are not idempotent
 *   RESEND_ALL           the client sends calls again that are not idempotent
 *   FORGET_LOST          the client takes no notice of a session that is lost under its calls
 */

#ifndef CALLS
#define CALLS 2
#endif
#ifndef DEATHS
#define DEATHS 1 /* workers that are killed */
#endif
#ifndef SILENCES
#define SILENCES 1 /* workers that live and are taken for dead */
#endif
#ifndef RESTARTS
#define RESTARTS 1 /* of the broker */
#endif
#ifndef CUTS
#define CUTS 0 /* sessions of the client that the broker ends */
#endif
#ifndef LATES
#define LATES 1 /* replies that break the rules: a second one, or one of an earlier session */
#endif
#ifndef RETURNS
#define RETURNS 1
#endif
#ifndef REFUSALS
#define REFUSALS 0 /* answers of workers that refuse a call: BAD_REQUEST and the like */
#endif
#ifndef DEADLINES
#define DEADLINES 1 /* 0: no deadline passes, and every call must end without that */
#endif

#define WORKERS  2
#define SLOTS    2
#define ATTEMPTS 3
#define IDEMPOTENT(call) ((call) & 1)

/* Fates, as in <busbar/status.h>. */
#define NOT_EXECUTED   0
#define MAYBE_EXECUTED 1
#define EXECUTED       2

/* A call as its client sees it. */
#define NEW     0 /* to be sent, for the first time or again */
#define WAITING 1
#define DONE    2

mtype = { HELLO, CALL, WELCOME, RESET, REPLY, ERROR, RETURN };

/* What is on the way. A connection keeps the order; each has its own channel. */
chan to_broker = [2] of { mtype, byte };       /* from the client: command, call */
chan to_client = [3] of { mtype, byte, byte }; /* command, call, tag of a REPLY or fate of an ERROR */
typedef answers {
    chan way = [2] of { mtype, byte, byte, byte } /* slot, generation, tag */
}
answers from_worker[WORKERS];

/* Bounds of the faults; each one that happens takes one away. */
byte deaths = DEATHS, silences = SILENCES, restarts = RESTARTS, cuts = CUTS, lates = LATES;
byte returns = RETURNS, refusals = REFUSALS;

/* What truly happened; nobody in the model looks at it but the assertions. ------------------------ */

bit executed[CALLS];   /* once at least */
bit ended[CALLS];      /* has its outcome */
bit told_not[CALLS];   /* which says "not executed" */

inline outcome(call, fate)
{
    assert(!ended[call]) /* one_outcome */;
    assert(fate != NOT_EXECUTED || !executed[call]) /* truthful */;
    assert(fate != EXECUTED || executed[call]) /* ok_is_executed */;
    ended[call] = 1;
    told_not[call] = (fate == NOT_EXECUTED);
    printf("call %d ends, fate %d\n", call, fate);
    before[call] = 0;
    state[call] = DONE
}

inline execute(whose)
{
    assert(IDEMPOTENT(whose) || !executed[whose]) /* once */;
    assert(!told_not[whose]) /* truthful */;
    executed[whose] = 1;
    printf("call %d is executed\n", whose)
}

/* The client -------------------------------------------------------------------------------------- */

byte state[CALLS];
bit before[CALLS]; /* was sent in a session that was lost: a worker may have it */

#define DOWN     0
#define GREETING 1 /* HELLO was said; calls are held back until the WELCOME, which busbar need not do */
#define UP       2
byte client = DOWN;
bit session; /* at the broker: the client has one */

#ifdef RESEND_ALL
#define RESEND 1
#else
#define RESEND 0
#endif
#ifdef NO_FATE_OF_BEFORE
#define fate_of_before(call) NOT_EXECUTED
#else
#define fate_of_before(call) before[call]
#endif
#ifdef FORGET_LOST
#define client_sees_the_loss 0
#else
#define client_sees_the_loss (client == UP && !session)
#endif

#if CALLS > 2
#define is_new    (state[0] == NEW || state[1] == NEW || state[2] == NEW)
#define is_undone (state[0] != DONE || state[1] != DONE || state[2] != DONE)
#else
#define is_new    (state[0] == NEW || state[1] == NEW)
#define is_undone (state[0] != DONE || state[1] != DONE)
#endif

/* A session is lost, and with it what was sent in it: sent again if that is allowed (protocol.md 6.3). */
inline client_lose(call)
{
    call = 0;
    do
    :: call == CALLS -> break
    :: call < CALLS && state[call] == WAITING && (IDEMPOTENT(call) || RESEND) ->
        before[call] = 1;
        state[call] = NEW;
        call++
    :: call < CALLS && state[call] == WAITING && !(IDEMPOTENT(call) || RESEND) ->
        outcome(call, MAYBE_EXECUTED); /* BROKER_LOST */
        call++
    :: call < CALLS && state[call] != WAITING -> call++
    od;
    call = 0
}

active proctype the_client()
{
    byte call, what;
end:
    do
    /* It says HELLO when it has no session. */
    :: atomic { client == DOWN && nfull(to_broker) ->
        to_broker!HELLO, 0;
        client = GREETING }
    /* It starts a call, or sends one again: those that the loss of a session left over. */
    :: atomic { client == UP && is_new && nfull(to_broker) ->
        if
        :: state[0] == NEW -> call = 0
        :: state[1] == NEW -> call = 1
#if CALLS > 2
        :: state[2] == NEW -> call = 2
#endif
        fi;
        to_broker!CALL, call;
        state[call] = WAITING;
        printf("the client sends call %d\n", call);
        call = 0 }
    /* A new session; of what was sent before it and is not answered, nothing is known. */
    :: atomic { to_client?WELCOME, _, _ ->
        client_lose(call);
        client = UP }
    /* RESET: that call was not executed, this time. The first one tells that the session is lost. */
    :: atomic { to_client?RESET, call, _ ->
        if
        :: state[call] == WAITING -> state[call] = NEW
        :: else
        fi;
        if
        :: client == UP -> client = DOWN
        :: else
        fi;
        call = 0 }
    /* It sees that the connection was lost, or a HEARTBEAT is answered with RESET. Answers that were
     * received before may still lie in the socket. */
    :: d_step { client_sees_the_loss ->
        client_lose(call);
        client = DOWN }
    /* Its HELLO, or the answer, got lost with a connection. */
    :: d_step { client == GREETING && !session && empty(to_broker) -> client = DOWN }
    /* The outcome of a call; one for a call that is not waiting is ignored. */
    :: d_step { to_client?REPLY, call, what ->
        if
        :: state[call] != DONE ->
            printf("the client has a reply to call %d, made for call %d\n", call, what);
            assert(what == call) /* right_reply */;
            outcome(call, EXECUTED)
        :: else
        fi;
        call = 0; what = 0 }
    /* "Not executed" holds for this sending of the call alone. */
    :: d_step { to_client?ERROR, call, what ->
        if
        :: state[call] != DONE && what == NOT_EXECUTED ->
            outcome(call, fate_of_before(call))
        :: state[call] != DONE && what != NOT_EXECUTED ->
            outcome(call, what)
        :: else
        fi;
        call = 0; what = 0 }
#if DEADLINES
    /* Its own timer: TIMEOUT for what was sent, BROKER_LOST for what could not be. */
    :: atomic { is_undone ->
        if
        :: state[0] != DONE -> call = 0
        :: state[1] != DONE -> call = 1
#if CALLS > 2
        :: state[2] != DONE -> call = 2
#endif
        fi;
        if
        :: state[call] == WAITING -> outcome(call, MAYBE_EXECUTED)
        :: else -> outcome(call, fate_of_before(call))
        fi;
        call = 0 }
#endif
    od
}

/* States of a slot, as in broker/call.h. */
#define FREE      0
#define QUEUED    1
#define RUNNING   2
#define ABANDONED 3 /* nobody waits for it, but its worker still has it */
typedef entry {
    byte state;
    byte call;     /* the client's id, and the body */
    byte worker;
    byte attempts; /* times given to a worker and not returned by it */
    byte generation
}
entry slots[SLOTS];

/* The workers ------------------------------------------------------------------------------------- */

/* A call in a worker. CALLs on their way to it count as being there, not started. */
typedef request {
    bit there;
    bit ran;         /* the handler has done its work */
    byte slot;       /* slot and generation are the id, which the worker only repeats */
    byte generation;
    byte tag         /* the call whose body it is, and so whose reply comes of it */
}
request held[WORKERS]; /* of the present session */
request old[WORKERS];  /* answered already, or of an earlier session: its handler may still run */
bit dead[WORKERS];     /* killed, and not started anew yet */
bit bound[WORKERS] = 1; /* at the broker: the worker has a session, and is registered */

inline forget(r)
{
    r.there = 0; r.ran = 0; r.slot = 0; r.generation = 0; r.tag = 0
}

inline remember(w)
{
    if
    :: held[w].there && held[w].ran && !lates -> forget(held[w])
    :: held[w].there && !(held[w].ran && !lates) ->
        old[w].there = 1;
        old[w].ran = held[w].ran;
        old[w].slot = held[w].slot;
        old[w].generation = held[w].generation;
        old[w].tag = held[w].tag;
        forget(held[w])
    :: else
    fi
}

/* Without a session it would be answered with RESET, and nothing else would happen. */
inline answer(w, what, r)
{
    if
    :: bound[w] -> from_worker[w].way!what, r.slot, r.generation, r.tag
    :: else /* RESET */
    fi
}

#define has_call(w) ((slots[0].state >= RUNNING && slots[0].worker == w) || \
                     (slots[1].state >= RUNNING && slots[1].worker == w))

/* While the two workers cannot be told apart, whatever happens happens to the first. */
#define is_idle(w) (bound[w] && !dead[w] && !has_call(w) && !held[w].there && !old[w].there && \
                    len(from_worker[w].way) == 0)
#define twins (is_idle(0) && is_idle(1))

proctype the_worker(byte w)
{
end:
    do
    /* The handler does its work. */
    :: d_step { held[w].there && !held[w].ran ->
        execute(held[w].tag);
        held[w].ran = 1 }
    /* The worker answers. */
    :: d_step { held[w].there && held[w].ran && nfull(from_worker[w].way) ->
        answer(w, REPLY, held[w]);
        remember(w) }
    /* It gives back what it has not started (its stop, for instance). */
    :: d_step { held[w].there && !held[w].ran && returns > 0 && nfull(from_worker[w].way) ->
        returns--;
        printf("worker %d returns call %d\n", w, held[w].tag);
        answer(w, RETURN, held[w]);
        forget(held[w]) }
    /* It refuses a call before the handler: BAD_REQUEST, NO_METHOD, EXPIRED. */
    :: d_step { held[w].there && !held[w].ran && refusals > 0 && nfull(from_worker[w].way) ->
        refusals--;
        answer(w, ERROR, held[w]);
        forget(held[w]) }
    /* It is killed. What it sent before may arrive all the same. */
    :: d_step { deaths > 0 && !dead[w] && !(w == 1 && twins) ->
        deaths--;
        printf("worker %d is killed\n", w);
        dead[w] = 1;
        forget(held[w]);
        forget(old[w]) }
    /* Started anew, or told by RESET that its session is over: it says HELLO and registers. What it
     * has is of an earlier session from then on. */
    :: d_step { !bound[w] ->
        remember(w);
        dead[w] = 0;
        bound[w] = 1;
        printf("worker %d registers\n", w) }
    /* A handler of an earlier session goes on. */
    :: d_step { old[w].there && !old[w].ran ->
        execute(old[w].tag);
        old[w].ran = 1;
        if
        :: !lates -> forget(old[w])
        :: else
        fi }
    /* A late reply: the second one, or, against the rule of section 6.4, one of an earlier session. */
    :: d_step { old[w].there && old[w].ran && lates > 0 && nfull(from_worker[w].way) ->
        lates--;
        printf("worker %d sends a late reply, made for call %d\n", w, old[w].tag);
        answer(w, REPLY, old[w]);
        forget(old[w]) }
    od
}

/* The broker -------------------------------------------------------------------------------------- */

/* Generations start at random, so that those of one run are not those of another. */
#ifdef NO_EPOCH
#define GENERATION_START 0
#else
#define GENERATION_START (16 * (RESTARTS - restarts))
#endif
#ifdef NO_GENERATION_CHECK
#define is_generation(s, g) true
#else
#define is_generation(s, g) (slots[s].generation == (g))
#endif
#ifdef REPEAT_ALL
#define may_repeat(s) (slots[s].attempts < ATTEMPTS)
#else
#define may_repeat(s) (IDEMPOTENT(slots[s].call) && slots[s].attempts < ATTEMPTS)
#endif
#define fate_of_attempts(s) (slots[s].attempts > 0 -> MAYBE_EXECUTED : NOT_EXECUTED)

/* call_table_put: the id of the call is never seen again. */
inline slot_free(s)
{
    slots[s].state = FREE;
    slots[s].call = 0;
    slots[s].worker = 0;
    slots[s].attempts = 0;
    slots[s].generation++
}

/* call_fail: an ERROR; a worker that has the call keeps the slot until it answers. */
inline slot_fail(s, fate)
{
    to_client!ERROR, slots[s].call, fate;
    slot_abandon(s)
}

/* Also peer_drop_calls, when the client's session is over. */
inline slot_abandon(s)
{
    if
    :: slots[s].state == RUNNING -> slots[s].state = ABANDONED
    :: slots[s].state == QUEUED -> slot_free(s)
    :: else
    fi
}

/*
 * router_peer_fini. What the worker still sends, or has under way, has no session any more: it would be
 * answered with RESET, and nothing else would happen.
 */
inline worker_lose(w)
{
    bound[w] = 0;
    do
    :: nempty(from_worker[w].way) -> from_worker[w].way?_, _, _, _
    :: empty(from_worker[w].way) -> break
    od;
    slot_lose(0, w);
    slot_lose(1, w)
}

/* call_lose_worker: repeated, or WORKER_LOST, or POISONED. */
inline slot_lose(s, w)
{
    if
    :: slots[s].state == ABANDONED && slots[s].worker == w -> slot_free(s)
    :: slots[s].state == RUNNING && slots[s].worker == w && may_repeat(s) ->
        slots[s].state = QUEUED;
        slots[s].worker = 0
    :: slots[s].state == RUNNING && slots[s].worker == w && !may_repeat(s) ->
        slots[s].state = QUEUED; /* it leaves its worker first */
        slot_fail(s, MAYBE_EXECUTED)
    :: else
    fi
}

#define takes_more(w) (bound[w] && !dead[w] && !has_call(w) && !held[w].there)

/* call_dispatch */
inline dispatch(s, w)
{
    slots[s].state = RUNNING;
    slots[s].worker = w;
    slots[s].attempts++;
    assert(slots[s].attempts <= ATTEMPTS) /* three_attempts */;
    held[w].there = 1;
    held[w].ran = 0;
    held[w].slot = s;
    held[w].generation = slots[s].generation;
    held[w].tag = slots[s].call;
    printf("call %d goes to worker %d in slot %d, generation %d\n", slots[s].call, w, s,
           slots[s].generation)
}

/* router_reply, router_return: only from the session that has the call, only while it has it. */
inline take_answer(w)
{
    from_worker[w].way?command, s, generation, tag;
    if
    :: !(s < SLOTS && slots[s].state >= RUNNING && slots[s].worker == w &&
         is_generation(s, generation)) ->
        printf("the broker drops a late reply of worker %d\n", w)
    :: else ->
        if
        :: slots[s].state == ABANDONED -> slot_free(s)
        :: slots[s].state == RUNNING && command == REPLY ->
            to_client!REPLY, slots[s].call, tag;
            slot_free(s)
        :: slots[s].state == RUNNING && command == RETURN ->
            slots[s].state = QUEUED;
            slots[s].worker = 0;
            slots[s].attempts--
        :: slots[s].state == RUNNING && command == ERROR ->
            slots[s].state = QUEUED; /* it leaves its worker first */
#ifdef NO_FATE_OF_ATTEMPTS
            slot_fail(s, NOT_EXECUTED)
#else
            slot_fail(s, (slots[s].attempts > 1 -> MAYBE_EXECUTED : NOT_EXECUTED))
#endif
        fi
    fi;
    s = 0; generation = 0; tag = 0; command = 0
}

active proctype the_broker()
{
    mtype command;
    byte call, s, generation, tag;
end:
    do
    /* HELLO ends the session there may be, as BYE would. */
    :: d_step { nfull(to_client) && to_broker?[HELLO, _] ->
        to_broker?HELLO, _;
        slot_abandon(0);
        slot_abandon(1);
        session = 1;
        to_client!WELCOME, 0, 0 }
    /* A CALL is put into a slot, or refused: RESET, BUSY, NO_SERVICE, DRAINING and so on. */
    :: atomic { nfull(to_client) && to_broker?[CALL, _] ->
        to_broker?CALL, call;
        if
        :: !session -> to_client!RESET, call, 0
        :: session -> to_client!ERROR, call, NOT_EXECUTED
        :: session && slots[0].state == FREE ->
            slots[0].state = QUEUED;
            slots[0].call = call
        :: session && slots[0].state != FREE && slots[1].state == FREE ->
            slots[1].state = QUEUED;
            slots[1].call = call
        fi;
        call = 0 }
    /* What waits goes to a worker that takes more. */
    :: d_step { slots[0].state == QUEUED && takes_more(0) -> dispatch(0, 0) }
    :: d_step { slots[0].state == QUEUED && takes_more(1) && !twins -> dispatch(0, 1) }
    :: d_step { slots[1].state == QUEUED && takes_more(0) -> dispatch(1, 0) }
    :: d_step { slots[1].state == QUEUED && takes_more(1) && !twins -> dispatch(1, 1) }
    /* Answers of workers. */
    :: d_step { nfull(to_client) && nempty(from_worker[0].way) -> take_answer(0) }
    :: d_step { nfull(to_client) && nempty(from_worker[1].way) -> take_answer(1) }
#if DEADLINES
    /* A deadline passes, its client cancels the call, its last worker goes: EXPIRED, TIMEOUT,
     * CANCELLED, NO_SERVICE, WORKER_LOST; the fate is the same for all. */
    :: d_step { nfull(to_client) && (slots[0].state == QUEUED || slots[0].state == RUNNING) ->
        slot_fail(0, fate_of_attempts(0)) }
    :: d_step { nfull(to_client) && (slots[1].state == QUEUED || slots[1].state == RUNNING) ->
        slot_fail(1, fate_of_attempts(1)) }
#endif
    /* The death of a worker is noticed. */
    :: d_step { nfull(to_client) && bound[0] && dead[0] -> worker_lose(0) }
    :: d_step { nfull(to_client) && bound[1] && dead[1] -> worker_lose(1) }
    /* A worker was silent for too long, but lives. */
    :: d_step { nfull(to_client) && bound[0] && !dead[0] && silences > 0 ->
        silences--;
        printf("the broker takes worker 0 for dead\n");
        worker_lose(0) }
    :: d_step { nfull(to_client) && bound[1] && !dead[1] && silences > 0 && !twins ->
        silences--;
        printf("the broker takes worker 1 for dead\n");
        worker_lose(1) }
    /* The client's session ends, with its connection or without. */
    :: d_step { session && cuts > 0 ->
        cuts--;
        session = 0;
        slot_abandon(0);
        slot_abandon(1) }
    /* The broker is killed and started anew, and knows nothing of before. What was on the way to it
     * is gone; what it had sent still arrives. */
    :: d_step { restarts > 0 ->
        restarts--;
        session = 0;
        bound[0] = 0;
        bound[1] = 0;
        slot_free(0);
        slot_free(1);
        slots[0].generation = GENERATION_START;
        slots[1].generation = GENERATION_START;
        do
        :: nempty(to_broker) -> to_broker?_, _
        :: nempty(from_worker[0].way) -> from_worker[0].way?_, _, _, _
        :: nempty(from_worker[1].way) -> from_worker[1].way?_, _, _, _
        :: empty(to_broker) && empty(from_worker[0].way) && empty(from_worker[1].way) -> break
        od;
        printf("the broker is started anew\n") }
    od
}

/* When nothing can happen any more, every call has its outcome. */
active proctype the_end()
{
end:
    timeout;
    assert(ended[0] && ended[1]) /* one_outcome */
#if CALLS > 2
    ;
    assert(ended[2])
#endif
}

init
{
    atomic {
        run the_worker(0);
        run the_worker(1)
    }
}
