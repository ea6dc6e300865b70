-- Pairs on which teacher and student differ, largest difference first, with the reference grade if it exists.
with answers as (
    select * from teacher_labels
    union all by name
    select * from asked_labels
),

teacher as (
    select corpus, query_id, doc_id, grade as teacher_grade, rationale as teacher_rationale
    from answers
    where status = 'ok'
),

student as (
    select corpus, query_id, doc_id, grade as student_grade, expected_grade as student_expected_grade
    from student_labels
),

reference as (
    select corpus, query_id, doc_id, median(grade) as reference_grade  -- over assessors
    from reference_labels
    group by all
),

queries as (
    select corpus, query_id, text as query, split from synthetic_queries
),

documents as (
    select corpus, doc_id, title from seed_docs
),

final as (
    select
        corpus, query_id, query, split, doc_id, title,
        teacher_grade, student_grade, student_expected_grade, reference_grade,
        abs(teacher_grade - student_grade) as difference,
        teacher_rationale
    from teacher
    inner join student using (corpus, query_id, doc_id)
    left join reference using (corpus, query_id, doc_id)
    left join queries using (corpus, query_id)
    left join documents using (corpus, doc_id)
    where teacher_grade <> student_grade
    order by difference desc, corpus, query_id, doc_id
)

select * from final
