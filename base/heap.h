/* What malloc keeps of freed memory. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

/*
 * glibc gives the end of a heap back to the kernel when more than 128 KiB of it are free, and takes it
 * again page by page, at the price of a fault for each. Messages come and go in bundles of up to 64
 * KiB, so that happens with every few of them. Its threshold is twice the largest block that was mapped
 * and freed (mallopt(3), M_MMAP_THRESHOLD): after this it is 8 MiB, for each heap. No page is touched,
 * and where the program has set a threshold, or uses another malloc, nothing changes.
 */
void heap_keep(void);

/* Gives the kernel back what is free in all heaps: after an unusual need. The more there is the longer
 * it takes, about a tenth of a second for a GiB. */
void heap_trim(void);

#endif
