-- The final grade of every pair, also of documents that repeat another one: graded_as is the one graded.
with graded as (
    select *, doc_id as graded_as from final_labels
),

repeated as (
    select corpus, doc_id, duplicate_of as graded_as
    from seed_docs
    where duplicate_of is not null
),

-- A pair that was graded itself, because a person judged it, keeps its own grade.
shared as (
    select graded.* replace (repeated.doc_id as doc_id)
    from graded
    join repeated using (corpus, graded_as)
    anti join final_labels as own
        on (own.corpus, own.query_id, own.doc_id)
            = (graded.corpus, graded.query_id, repeated.doc_id)
),

final as (
    select * from graded
    union all by name
    select * from shared
)

select * from final
