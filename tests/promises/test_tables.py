"""What ``Tables`` promises: rows with etags, batches that are all or nothing, ranges in the order of their keys."""

import pytest

from access.adapters.tables import Delete, Insert, Put, Replace, Row, Tables, Value
from access.errors import Conflict


def row(key: str = "a", partition: str = "p", etag: str = "", **values: Value) -> Row:
    return Row(partition=partition, key=key, values=values, etag=etag)


async def keys_of(tables: Tables, *, start: str = "", end: str = "~", limit: int | None = None) -> list[str]:
    return [found.key async for found in tables.query("due", "p", start=start or " ", end=end, limit=limit)]


class TestOneRow:
    async def test_it_is_read_as_it_was_written(self, tables: Tables) -> None:
        written = row(text="Ada", number=7, flag=True, nothing="", zero=0, no=False)

        (etag,) = await tables.write("due", [Insert(written)])

        found = await tables.get("due", "p", "a")
        assert found == Row(partition="p", key="a", values=written.values, etag=etag)

    async def test_one_that_is_not_there_is_none_even_before_its_table_is(self, tables: Tables) -> None:
        assert await tables.get("due", "p", "a") is None

    async def test_an_insert_collides_with_a_row_that_is_there(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(number=1))])

        with pytest.raises(Conflict):
            await tables.write("due", [Insert(row(number=2))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert found.values == {"number": 1}

    async def test_a_replace_takes_every_old_value_away_and_gives_a_new_etag(self, tables: Tables) -> None:
        (first,) = await tables.write("due", [Insert(row(old="x", both=1))])

        (second,) = await tables.write("due", [Replace(row(both=2, etag=first))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert (found.values, found.etag) == ({"both": 2}, second)
        assert second != first

    async def test_a_replace_with_a_stale_etag_conflicts_and_changes_nothing(self, tables: Tables) -> None:
        (stale,) = await tables.write("due", [Insert(row(number=1))])
        await tables.write("due", [Replace(row(number=2, etag=stale))])

        with pytest.raises(Conflict):
            await tables.write("due", [Replace(row(number=3, etag=stale))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert found.values == {"number": 2}

    async def test_a_replace_of_a_row_that_is_gone_conflicts(self, tables: Tables) -> None:
        (etag,) = await tables.write("due", [Insert(row())])
        await tables.write("due", [Delete("p", "a")])

        with pytest.raises(Conflict):
            await tables.write("due", [Replace(row(etag=etag))])

    async def test_a_put_writes_whether_the_row_is_there_or_not_and_keeps_no_old_value(self, tables: Tables) -> None:
        await tables.write("due", [Put(row(old=1))])
        (etag,) = await tables.write("due", [Put(row(new=2))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert (found.values, found.etag) == ({"new": 2}, etag)

    async def test_a_row_that_is_deleted_is_gone_and_deleting_it_again_is_fine(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row())])

        assert await tables.write("due", [Delete("p", "a")]) == [""]
        assert await tables.write("due", [Delete("p", "a")]) == [""]

        assert await tables.get("due", "p", "a") is None

    async def test_deleting_from_a_table_that_is_not_there_is_fine(self, tables: Tables) -> None:
        assert await tables.write("due", [Delete("p", "a")]) == [""]

    async def test_a_text_of_thirty_two_thousand_characters_is_kept_whole(self, tables: Tables) -> None:
        long = "Ä" * 32_000

        await tables.write("due", [Insert(row(long=long))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert found.values["long"] == long

    @pytest.mark.parametrize(
        "text", ["O'Brien", '{"a": "\\u0000"}', "line\nfeed\ttab", "\u202e", "🕰️", "2026-03-02T09:00:00Z"]
    )
    async def test_whatever_stands_in_a_text_comes_back_as_that_text(self, tables: Tables, text: str) -> None:
        await tables.write("due", [Insert(row(text=text))])

        found = await tables.get("due", "p", "a")
        assert found is not None
        assert found.values == {"text": text}

    @pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\tb", "a\nb", "\x7f", "", "x" * 257, "é", "a'b"])
    async def test_a_key_that_some_store_refuses_is_a_bug_here(self, tables: Tables, key: str) -> None:
        with pytest.raises(ValueError, match="not a table key"):
            await tables.write("due", [Insert(row(key=key))])
        with pytest.raises(ValueError, match="not a table key"):
            await tables.write("due", [Insert(row(partition=key))])
        with pytest.raises(ValueError, match="not a table key"):
            await tables.get("due", key, "a")


class TestABatch:
    async def test_it_writes_everything_and_returns_the_etags_in_order(self, tables: Tables) -> None:
        _, second = await tables.write("due", [Insert(row("old")), Insert(row("changed", number=1))])

        etags = await tables.write(
            "due",
            [Insert(row("new")), Replace(row("changed", number=2, etag=second)), Put(row("put")), Delete("p", "old")],
        )

        assert await keys_of(tables) == ["changed", "new", "put"]
        changed, new = await tables.get("due", "p", "changed"), await tables.get("due", "p", "new")
        assert changed is not None
        assert new is not None
        assert (new.etag, changed.etag, etags[3]) == (etags[0], etags[1], "")

    async def test_it_makes_its_table_when_that_is_missing(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row("a")), Insert(row("b"))])

        assert await keys_of(tables) == ["a", "b"]

    async def test_an_insert_that_collides_leaves_nothing_of_it(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row("there", number=1))])

        with pytest.raises(Conflict):
            await tables.write("due", [Insert(row("new")), Put(row("put")), Insert(row("there", number=2))])

        assert await keys_of(tables) == ["there"]

    async def test_a_stale_etag_leaves_nothing_of_it(self, tables: Tables) -> None:
        (stale,) = await tables.write("due", [Insert(row("there"))])
        await tables.write("due", [Replace(row("there", number=2, etag=stale))])

        with pytest.raises(Conflict):
            await tables.write("due", [Insert(row("new")), Replace(row("there", number=3, etag=stale))])

        assert await keys_of(tables) == ["there"]

    async def test_a_replace_of_a_row_that_is_gone_leaves_nothing_of_it(self, tables: Tables) -> None:
        (etag,) = await tables.write("due", [Insert(row("gone"))])
        await tables.write("due", [Delete("p", "gone")])

        with pytest.raises(Conflict):
            await tables.write("due", [Insert(row("new")), Replace(row("gone", etag=etag))])

        assert await keys_of(tables) == []

    async def test_a_delete_of_a_row_that_is_gone_leaves_nothing_of_it(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row("there"))])

        with pytest.raises(Conflict):
            await tables.write("due", [Delete("p", "there"), Delete("p", "gone")])

        assert await keys_of(tables) == ["there"]

    async def test_it_holds_a_hundred_operations(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(f"{number:03d}")) for number in range(100)])

        assert len(await keys_of(tables)) == 100


class TestARange:
    async def test_the_start_is_inside_and_the_end_is_not(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(key)) for key in ("a", "b", "c", "d")])

        assert await keys_of(tables, start="b", end="d") == ["b", "c"]

    async def test_keys_come_in_ordinal_order_whatever_the_order_of_writing(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(key)) for key in ("b", "a", "B", "9", "10", "a_", "a-")])

        assert await keys_of(tables) == ["10", "9", "B", "a", "a-", "a_", "b"]

    async def test_other_partitions_and_tables_are_not_in_it(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row("a"))])
        await tables.write("due", [Insert(row("a", partition="q"))])
        await tables.write("holds", [Insert(row("b"))])

        assert await keys_of(tables) == ["a"]

    async def test_a_limit_takes_the_first(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(key)) for key in ("c", "a", "b")])

        assert await keys_of(tables, limit=2) == ["a", "b"]

    async def test_it_is_empty_before_its_table_is_there(self, tables: Tables) -> None:
        assert await keys_of(tables) == []

    async def test_it_goes_on_over_the_thousand_rows_of_a_page(self, tables: Tables) -> None:
        written = [f"{number:04d}" for number in range(1050)]
        for start in range(0, len(written), 100):
            await tables.write("due", [Insert(row(key)) for key in written[start : start + 100]])

        assert await keys_of(tables) == written

    async def test_rows_may_be_deleted_while_it_is_read(self, tables: Tables) -> None:
        await tables.write("due", [Insert(row(key)) for key in ("a", "b", "c")])

        async for found in tables.query("due", "p", start="a", end="~"):
            await tables.write("due", [Delete("p", found.key)])

        assert await keys_of(tables) == []
