/*
 * tile_rows.h -- part of a product's template: calls tile_compute with the
 * height of the tile as a constant.
 *
 * To be included where Tile, tile_compute and MR are known.
 */
#ifndef DBERT_KERNEL_TILE_ROWS_H
#define DBERT_KERNEL_TILE_ROWS_H

#define TILE_CASE(rows) \
		case rows: \
			tile_compute(t, rows); \
			break

/* The rows of a tile, 1 .. MR, made a constant. */
static void
tile_run(const Tile *t, int rows)
{
	switch (rows)
	{
			TILE_CASE(1);
			TILE_CASE(2);
			TILE_CASE(3);
			TILE_CASE(4);
#if MR > 4
			TILE_CASE(5);
			TILE_CASE(6);
#endif
#if MR > 6
			TILE_CASE(7);
			TILE_CASE(8);
#endif
#if MR > 8
			TILE_CASE(9);
			TILE_CASE(10);
			TILE_CASE(11);
			TILE_CASE(12);
#endif
#if MR > 12
			TILE_CASE(13);
			TILE_CASE(14);
#endif
	}
}

#endif
