-- Teacher's grades whose document changed: kept, moved to other offsets, or stale and asked again.
with answers as (
    select *, 'teacher_labels' as table_name from teacher_labels
    union all by name
    select *, 'asked_labels' as table_name from asked_labels
),

-- A stale grade that could not be asked again is NULL in the table. This is the last one, of other text.
earlier as (
    select corpus, query_id, doc_id, arg_max(grade, noted_at) as last_grade
    from grade_history
    where labeler = 'teacher' and grade is not null
    group by all
),

final as (
    select
        corpus, query_id, doc_id, carried, status, status_reason, grade,
        case when grade is null then last_grade end as last_grade,
        passages, document_hash, request_key, labeled_at, table_name
    from answers
    left join earlier using (corpus, query_id, doc_id)
    where carried is not null
)

select * from final
